/* What all pictures that can be moved share: controls, drawing, and their state in the address.

   `<div class="explore" data-explore="name">` becomes the widget registered under that name; what
   stands inside it is shown in print and where scripts do not run. The state of a widget is a list
   of integers, kept after # in the address as name=1.2.3, so that a link leads back to it; without
   one there, `data-state="1.2.3"` is where it begins. */
(function () {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg", widgets = {};

  function element(name, attributes = {}, children = []) {
    const node = document.createElementNS(SVG, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    for (const child of [].concat(children)) node.append(child);
    return node;
  }

  function html(name, attributes = {}, children = []) {
    const node = document.createElement(name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    for (const child of [].concat(children)) node.append(child);
    return node;
  }

  /* An exponent, with the words without which who listens hears 64 to the power 32 as 6432. */
  function raised(exponent) {
    return html("sup", {}, [html("span", {class: "visually-hidden"}, [" to the power "]), String(exponent)]);
  }

  /* 65^2 3^1 as typeset powers; no factor is the number 1. */
  function power(powers) {
    const parts = powers.filter(([, exponent]) => exponent > 0).map(([base, exponent], place) => {
      const part = html("span", {}, [(place ? " · " : "") + base]);
      if (exponent > 1) part.append(raised(exponent));
      return part;
    });
    return html("span", {class: "explore-power"}, parts.length ? parts : ["1"]);
  }

  function slider(name, {label, min, max, value, input}) {
    const shown = html("output", {}, [String(value)]);
    const range = html("input", {type: "range", min, max, step: 1, value, id: name});
    range.addEventListener("input", () => input(Number(range.value)));
    const row = html("div", {class: "explore-control"},
                     [html("label", {for: name}, [label]), range, shown]);
    row.set = (number, most = max) => {
      range.max = most;
      range.value = number;
      shown.textContent = number;
    };
    return row;
  }

  function entries() {
    let text = location.hash.slice(1);
    try { text = decodeURIComponent(text); } catch { /* a percent sign of no code: an address not ours */ }
    return text.split("&").map(part => part.split("=")).filter(part => part.length === 2);
  }

  /* Safari refuses to change the address more than 100 times in 10 seconds, and what is dragged moves 60
     times in one: states that come soon after another wait, and the last of them is written. */
  const waiting = new Map();
  let pause = null;

  function store(name, state) {
    waiting.set(name, state.join("."));
    if (pause === null) write();
  }

  function write() {
    pause = null;
    if (!waiting.size) return;
    const others = entries().filter(([key]) => !waiting.has(key));
    const parts = [...others, ...waiting].map(part => part.join("="));
    waiting.clear();
    history.replaceState(null, "", "#" + parts.join("&"));
    pause = setTimeout(write, 400);
  }

  /* `start` gets an empty element, the stored state or null, and a function that stores a state.
     What a widget draws first is not stored: the address may hold the section to scroll to. */
  function register(name, start) { widgets[name] = start; }

  document.addEventListener("DOMContentLoaded", () => {
    const places = [...document.querySelectorAll(".explore")].filter(one => one.dataset.explore in widgets);
    let started = false;
    const pictures = places.map(place => {
      const name = place.dataset.explore;
      const still = html("div", {class: "explore-still"}, [...place.childNodes]);
      const live = html("div", {class: "explore-live"});
      place.replaceChildren(live, still);
      function show(text) {
        live.replaceChildren();
        widgets[name](live, text ? text.split(".").map(Number) : null, state => { if (started) store(name, state); });
      }
      return {name, begin: place.dataset.state, show};
    });

    function draw(every) {
      const named = new Map(entries());
      started = false;
      for (const {name, begin, show} of pictures.filter(one => every || named.has(one.name))) {
        waiting.delete(name);
        show(named.get(name) || begin);
      }
      started = true;
    }

    draw(true);
    // An address pasted into an open page loads nothing: what it names is drawn again.
    window.addEventListener("hashchange", () => draw(false));
  });

  /* A menu of examples, by name, and a function that names the one that is drawn, if any: what stands
     in a menu is otherwise another one after a reload, or beside a reader's own numbers. */
  function examples(id, all, input) {
    const menu = html("select", {id}, [html("option", {value: ""}, ["choose"]),
      ...Object.keys(all).map(name => html("option", {}, [name]))]);
    menu.addEventListener("change", () => { if (menu.value in all) input(all[menu.value]); });
    return [menu, same => { menu.value = Object.keys(all).find(name => same(all[name])) || ""; }];
  }

  /* Keys for a picture. With Alt, Control or Command they are the browser's: back, or a larger page. */
  function keys(picture, pressed) {
    picture.addEventListener("keydown", event => {
      if (!event.altKey && !event.ctrlKey && !event.metaKey) pressed(event);
    });
  }

  window.explore = {element, examples, html, keys, power, raised, slider, register};
})();
