/* A tree, a cut, its minimum: color the positions, cut the tree yourself, compare with the smallest. */
(function () {
  "use strict";
  const {element, html, keys, power, slider, register} = window.explore, theory = window.overlapTheory;
  const WIDTH = 360, TOP = 26, LEAVES = 266, BEADS = 226, GAP = 14, MOST = 9;
  const NAMES = ["two at a time", "all at once", "one after another", "fours, then the rest"];
  const PRESETS = {
    "even and odd": i => i % 2 === 0, "left and right": (i, n) => 2 * i < n,
    "pairs by turns": i => i % 4 < 2, "shifted pairs": i => (i + 1) % 4 < 2, "after the third": i => i < 3,
  };

  const grouped = (nodes, pool, width) => Array.from({length: nodes.length / pool}, (_, i) =>
    ({children: nodes.slice(pool * i, pool * (i + 1)), width}));

  /* The widths that a tree can choose, one for each layer; a train has one for all of its nodes. */
  function layerCount(kind, modes) { return [Math.log2(modes), 1, 1, 2][kind]; }

  function build(kind, modes, widths) {
    const all = Array.from({length: modes}, (_, i) => i);
    if (kind === 1) return {children: all, width: widths[0]};
    if (kind === 2) return all.slice(1).reduce((below, i) => ({children: [below, i], width: widths[0]}), 0);
    if (kind === 3) return {children: grouped(all, 4, widths[0]), width: widths[1]};
    return widths.reduce((nodes, width) => grouped(nodes, 2, width), all)[0];
  }

  /* Every leaf and node once, with its place and what it hangs from: leaves first, the root last. */
  function layout(tree, modes) {
    const items = [], step = WIDTH / modes;
    for (let i = 0; i < modes; i++) items.push({node: i, x: (i + 0.5) * step, height: 0, up: null});
    function place(node) {
      if (typeof node === "number") return node;
      const below = node.children.map(place), item = {node, up: null, below,
        x: below.reduce((sum, i) => sum + items[i].x, 0) / below.length,
        height: 1 + Math.max(...below.map(i => items[i].height))};
      items.push(item);
      for (const i of below) items[i].up = items.length - 1;
      return items.length - 1;
    }
    place(tree);
    const rise = Math.min(62, (BEADS - GAP - TOP) / items[items.length - 1].height);
    for (const item of items) item.y = BEADS - item.height * rise - (item.height ? GAP : 0);
    return items;
  }

  /* Two positions of different sides that a path joins after a cut, with that path; else null. */
  function joined(items, cut, side) {
    const neighbors = i => [...(items[i].below || []), ...(items[i].up === null ? [] : [items[i].up])];
    for (let start = 0; start < side.length; start++) {
      if (cut.has(start) || !side[start]) continue;
      const from = new Map([[start, null]]), queue = [start];
      for (const i of queue) {
        if (i < side.length && !side[i]) {
          const path = [];
          for (let at = i; at !== null; at = from.get(at)) path.push(at);
          return path;
        }
        for (const next of neighbors(i))
          if (!cut.has(next) && !from.has(next)) { from.set(next, i); queue.push(next); }
      }
    }
    return null;
  }

  /* The side that every part hangs on once the smallest cut is made: true, false, or none. */
  function sides(items, cut, side) {
    const found = items.map(() => null);
    side.forEach((row, leaf) => {
      const queue = cut.has(leaf) ? [] : [leaf];
      for (const i of queue) {
        if (cut.has(i) || found[i] !== null) continue;
        found[i] = row;
        queue.push(...(items[i].below || []), ...(items[i].up === null ? [] : [items[i].up]));
      }
    });
    return found;
  }

  function grouping(widths) {
    const counts = new Map();
    for (const width of widths) counts.set(width, (counts.get(width) || 0) + 1);
    return [...counts].sort((a, b) => b[0] - a[0]);
  }

  /* Whether all sizes are powers of one integer: then almost all weights reach the smallest cut. */
  function oneBase(sizes) {
    const power = (base, n) => { while (n % base === 0) n /= base; return n === 1; };
    return Array.from({length: MOST - 1}, (_, i) => i + 2).some(base => sizes.every(n => power(base, n)));
  }

  register("tree", (place, stored, store) => {
    let kind = 0, modes = 8, templates = 2, shown = 0, widths = [2, 2, 2], at = 0, own = new Set();
    let side = Array.from({length: modes}, (_, i) => i % 2 === 0);
    const whole = (n, low, high) => Number.isInteger(n) && n >= low && n <= high;
    if (stored && whole(stored[0], 0, 3) && (stored[1] === 8 || stored[1] === 16) && whole(stored[2], 1, MOST)
        && stored.length === 6 + layerCount(stored[0], stored[1])
        && stored.slice(6).every(n => whole(n, 1, MOST))) {
      [kind, modes, templates, shown] = stored;
      widths = stored.slice(6);
      side = Array.from({length: modes}, (_, i) => Math.floor(stored[4] / 2 ** i) % 2 === 1);
      for (let i = 0; i < 2 * modes; i++) if (Math.floor(stored[5] / 2 ** i) % 2 === 1) own.add(i);
    }
    const picture = element("svg", {viewBox: `0 0 ${WIDTH} 286`, tabindex: 0, role: "application",
      class: "explore-grid", "aria-label": "A tree over positions. Arrow keys choose a position, a bead or "
      + "a node; space moves a position to the other side, or cuts the bead or node."});
    const facts = html("div", {class: "explore-facts", "aria-live": "polite"});
    const spoken = html("div", {class: "visually-hidden", "aria-live": "polite"});
    const layers = html("div");
    const choose = (label, name, options, chosen, change) => {
      const choice = html("select", {id: name}, options.map(([value, text]) => html("option", {value}, [text])));
      choice.value = chosen;
      choice.addEventListener("change", () => change(Number(choice.value)));
      return html("span", {class: "explore-choice"}, [html("label", {for: name}, [label]), choice]);
    };
    function restart() {
      const count = layerCount(kind, modes);
      widths = Array.from({length: count}, (_, i) => widths[Math.min(i, widths.length - 1)]);
      side = Array.from({length: modes}, (_, i) => side[i % side.length]);
      own.clear();
      [shown, at] = [0, 0];
      sliders();
      draw();
    }
    const kinds = choose("Multiply", "explore-tree-kind", NAMES.map((name, i) => [i, name]), kind,
                         value => { kind = value; restart(); });
    const sizes = choose("Positions", "explore-tree-modes", [[8, "8"], [16, "16"]], modes,
                         value => { modes = value; restart(); });
    const presets = Object.entries(PRESETS).map(([name, rule]) => {
      const button = html("button", {type: "button", class: "explore-button"}, [name]);
      button.addEventListener("click", () => { side = side.map((_, i) => rule(i, modes)); draw(); });
      return button;
    });
    const reveal = html("button", {type: "button", class: "explore-button"});
    reveal.addEventListener("click", () => { shown = 1 - shown; draw(); });
    const clear = html("button", {type: "button", class: "explore-button"}, ["Clear my cut"]);
    clear.addEventListener("click", () => { own.clear(); shown = 0; draw(); });

    function sliders() {
      const names = kind === 2 ? ["Every node"] : widths.map((_, i) => `Layer ${i + 1}`);
      layers.replaceChildren(...names.map((label, i) => {
        const row = slider(`explore-tree-${i}`, {label, min: 1, max: MOST, value: widths[i],
          input: value => { widths[i] = value; row.set(value); draw(); }});
        return row;
      }), values);
    }
    const values = slider("explore-tree-values", {label: "Values", min: 1, max: MOST, value: templates,
      input: value => { templates = value; values.set(value); draw(); }});

    let items = [], gone = own;
    const width = i => i < modes ? templates : items[i].node.width;

    function draw() {
      items = layout(build(kind, modes, widths), modes);
      at = Math.min(at, modes + items.length - 1);
      const names = new Map(items.map((item, i) => [item.node, i]));
      const found = theory.smallestCut(items[items.length - 1].node, side, templates);
      const smallest = new Set(found.parts.map(part => names.get(part)));
      const open = joined(items, own, side), half = shown ? sides(items, smallest, side) : null;
      gone = shown ? smallest : own;
      const mine = [...own].map(width), radius = Math.min(12, 0.42 * WIDTH / modes);
      const hue = row => row ? "explore-blue" : "explore-orange";
      const lines = items.slice(0, -1).map((item, i) => {
        const up = items[item.up], ends = [i, item.up];
        const part = half && (half[i] !== null && half[i] === half[item.up] ? hue(half[i]) : "explore-faint");
        const path = !shown && own.size && open && ends.every(end => open.includes(end));
        return element("line", {x1: item.x, y1: item.y, x2: up.x, y2: up.y,
                                class: "explore-edge " + (part || (path ? "explore-path" : ""))});
      });
      const stems = items.slice(0, modes).map((item, i) => element("line", {x1: item.x, y1: BEADS, x2: item.x,
        y2: LEAVES - radius, class: "explore-edge " + (shown ? hue(side[i]) : "")}));
      const spots = items.map((item, i) => element("g", {class: "explore-spot"
          + (gone.has(i) ? " explore-gone" : "") + (at === modes + i ? " explore-at" : "")}, [
        element("circle", {cx: item.x, cy: item.y, r: i < modes ? 0.8 * radius : radius}),
        element("text", {x: item.x, y: item.y + 4.5, "text-anchor": "middle"}, [String(width(i))])]));
      const leaves = items.slice(0, modes).map((item, i) => element("g", {}, [
        element("rect", {x: item.x - radius, y: LEAVES - radius, width: 2 * radius, height: 2 * radius, rx: 3,
          class: (side[i] ? "explore-left" : "explore-right") + (at === i ? " explore-at" : "")}),
        element("text", {x: item.x, y: LEAVES + 4.5, "text-anchor": "middle", class: "explore-note"},
                [String(i)])]));
      picture.replaceChildren(...lines, ...stems, ...spots, ...leaves);
      const product = mine.reduce((a, b) => a * b, 1);
      const formula = list => list.length > 1 ? [power(grouping(list)), ` = ${list.reduce((a, b) => a * BigInt(b), 1n)}`]
        : [String(list.length ? list[0] : 1)];
      const trial = !own.size ? ["Tap nodes and beads until no path joins blue with orange."]
        : open ? [`Your cut does not separate yet: a path joins ${open[0]} and ${open[open.length - 1]}.`]
        : ["Your cut separates, at the price ", ...formula(mine),
           product > found.price ? ". There is a cheaper one." : ". No cut is cheaper."];
      const words = shown && !own.size ? [] : [html("p", {class: shown ? "" : "explore-result"}, trial)];
      const list = found.parts.map(part => width(names.get(part)));
      const reached = oneBase([templates, ...widths]);
      const count = smallest.size === 1 ? "1 part" : `${smallest.size} parts`;
      facts.replaceChildren(
        ...words, ...(shown ? [html("p", {class: "explore-result"}, ["Rank at most ", ...formula(list)]),
          html("p", {}, [`The smallest cut has ${count}. `
            + (reached ? "All sizes are powers of one number: almost all unshared weights have this rank."
               : "No weights exceed it; whether almost all reach it is a finer question.")])] : []));
      facts.dataset.cut = [...smallest].join(".");
      reveal.textContent = shown ? "Hide the smallest cut" : "Show the smallest cut";
      const bits = set => [...set].reduce((sum, i) => sum + 2 ** i, 0);
      store([kind, modes, templates, shown, bits(side.flatMap((row, i) => row ? [i] : [])), bits(own), ...widths]);
    }

    /* What the keys have led to, as the picture shows it. */
    function here() {
      const below = i => items[i].below ? items[i].below.flatMap(below) : [i], i = at - modes;
      if (i < 0) return `Position ${at}: ${side[at] ? "blue" : "orange"}.`;
      const leaves = below(i), name = i < modes ? `Bead of position ${i}`
        : `Node over positions ${Math.min(...leaves)} to ${Math.max(...leaves)}`;
      return `${name}, width ${width(i)}: ${gone.has(i) ? "" : "not "}cut.`;
    }

    const cutOrMend = i => {
      if (!own.delete(i)) own.add(i);
      shown = 0;
    };
    let painting = null;
    function touched(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(picture.getScreenCTM().inverse());
      if (point.y > (BEADS + LEAVES) / 2) {
        const leaf = Math.floor(point.x / (WIDTH / modes));
        return leaf >= 0 && leaf < modes ? leaf : null;
      }
      const away = items.map(item => Math.hypot(item.x - point.x, item.y - point.y));
      const nearest = away.indexOf(Math.min(...away));
      return away[nearest] < 22 ? modes + nearest : null;
    }
    function paint(event) {
      const i = touched(event);
      if (painting === null || i === null || i >= modes || side[i] === painting) return;
      side[i] = painting;
      at = i;
      draw();
    }
    picture.addEventListener("pointerdown", event => {
      const i = touched(event);
      if (i === null || event.button) return;
      event.preventDefault();
      picture.focus({preventScroll: true});
      at = i;
      if (i < modes) {
        painting = !side[i];
        picture.setPointerCapture(event.pointerId);
        paint(event);
      } else {
        cutOrMend(i - modes);
        draw();
      }
    });
    picture.addEventListener("pointermove", paint);
    picture.addEventListener("pointerup", () => { painting = null; });
    picture.addEventListener("pointercancel", () => { painting = null; });
    keys(picture, event => {
      const spot = i => i < modes ? [items[i].x, LEAVES] : [items[i - modes].x, items[i - modes].y];
      const [x, y] = spot(at), axis = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1],
                                       ArrowDown: [0, 1]}[event.key];
      if (event.key === " ") {
        if (at < modes) side[at] = !side[at];
        else cutOrMend(at - modes);
      } else if (axis) {
        let best = [Infinity, at];
        for (let i = 0; i < modes + items.length; i++) {
          const [dx, dy] = [spot(i)[0] - x, spot(i)[1] - y], along = dx * axis[0] + dy * axis[1];
          const aside = Math.abs(dx * axis[1]) + Math.abs(dy * axis[0]);
          if (along > 1 && along + 3 * aside < best[0]) best = [along + 3 * aside, i];
        }
        at = best[1];
      } else return;
      draw();
      spoken.textContent = here();
      event.preventDefault();
    });

    sliders();
    place.append(html("div", {class: "explore-line"}, [kinds, sizes]),
                 html("div", {class: "explore-line"}, presets), html("div", {class: "explore-columns"}, [
      html("div", {class: "explore-picture"}, [picture, html("div", {class: "explore-line"}, [reveal, clear])]),
      html("div", {class: "explore-panel"}, [layers, facts, spoken])]));
    draw();
  });
})();
