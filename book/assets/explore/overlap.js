/* Move the window: which windows cross the middle of the image, and the rank that they make. */
(function () {
  "use strict";
  const {element, html, keys, power, raised, slider, register} = window.explore, theory = window.overlapTheory;
  const SIZE = 8, TEMPLATES = 64, CELL = 34, CUT = SIZE / 2;

  function clamp(value, low, high) { return Math.min(high, Math.max(low, value)); }

  register("overlap", (place, stored, store) => {
    let [window_, stride, channels, row, column] = [3, 1, 3, 2, 2];
    if (stored && stored.length === 5 && stored.every(Number.isInteger))
      [window_, stride, channels, row, column] = stored;
    const grid = element("svg", {viewBox: `-6 -24 ${SIZE * CELL + 12} ${SIZE * CELL + 30}`, tabindex: 0,
                                 role: "application", class: "explore-grid",
                                 "aria-label": "Image of 8 by 8 pixels. Arrow keys move the window."});
    const rowOfWindows = element("svg", {class: "explore-bars", role: "img"});
    const facts = html("div", {class: "explore-facts", "aria-live": "polite"});
    const spoken = html("div", {class: "visually-hidden", "aria-live": "polite"});
    const scale = html("div", {class: "explore-scale"});
    const controls = {
      window: slider("explore-overlap-window", {label: "Window", min: 1, max: SIZE, value: window_,
        input: value => change({window: value})}),
      stride: slider("explore-overlap-stride", {label: "Stride", min: 1, max: SIZE, value: stride,
        input: value => change({stride: value})}),
      channels: slider("explore-overlap-channels", {label: "Channels", min: 1, max: TEMPLATES - 1,
        value: channels, input: value => change({channels: value})}),
    };

    function channelsFor(powers) {
      const {count, digits} = theory.channelsWithout(powers);
      return count ? [count]
        : ["more than ", html("span", {class: "explore-power"}, ["10", raised(digits)])];
    }

    function starts() {
      return Array.from({length: Math.ceil(SIZE / stride)}, (_, i) => i * stride);
    }

    function change(next) {
      window_ = clamp(next.window ?? window_, 1, SIZE);
      stride = clamp(next.stride ?? stride, 1, window_);
      channels = clamp(next.channels ?? channels, 1, TEMPLATES - 1);
      const last = starts()[starts().length - 1];
      const snap = value => clamp(Math.round(value / stride) * stride, 0, last);
      [row, column] = [snap(next.row ?? row), snap(next.column ?? column)];
      draw();
      store([window_, stride, channels, row, column]);
    }

    function crosses(start) { return start < CUT && start + window_ > CUT; }

    function drawGrid() {
      const cells = [];
      for (let i = 0; i < SIZE; i++)
        for (let j = 0; j < SIZE; j++)
          cells.push(element("rect", {x: j * CELL + 1, y: i * CELL + 1, width: CELL - 2, height: CELL - 2,
            rx: 3, class: j < CUT ? "explore-left" : "explore-right"}));
      const extent = start => Math.min(window_, SIZE - start) * CELL;
      const frame = element("rect", {x: column * CELL, y: row * CELL, width: extent(column),
        height: extent(row), rx: 4, class: "explore-window" + (crosses(column) ? " explore-crossing" : "")});
      const handle = element("circle", {cx: column * CELL + extent(column), cy: row * CELL + extent(row),
        r: 9, class: "explore-handle"});
      grid.replaceChildren(
        element("text", {x: CUT * CELL - 8, y: -8, class: "explore-note", "text-anchor": "end"}, ["left"]),
        element("text", {x: CUT * CELL + 8, y: -8, class: "explore-note"}, ["right"]),
        ...cells, element("line", {x1: CUT * CELL, x2: CUT * CELL, y1: -20, y2: SIZE * CELL + 4,
          class: "explore-cut"}), frame, handle);
      frame.dataset.part = "frame";
      handle.dataset.part = "handle";
    }

    function drawBars() {
      const all = starts(), step = 13;
      rowOfWindows.setAttribute("viewBox", `-6 -4 ${SIZE * CELL + 12} ${SIZE * step + 8}`);
      rowOfWindows.setAttribute("aria-label", `${all.filter(crosses).length} of the ${all.length} windows `
        + "in a row cross the middle.");
      rowOfWindows.replaceChildren(
        ...all.map((start, place) => element("rect", {x: start * CELL + 2, y: place * step,
          width: Math.min(window_, SIZE - start) * CELL - 4, height: step - 4, rx: 3,
          class: "explore-bar" + (crosses(start) ? " explore-crossing" : "")})),
        element("line", {x1: CUT * CELL, x2: CUT * CELL, y1: -4, y2: SIZE * step + 4, class: "explore-cut"}));
    }

    function drawScale(rows) {
      const most = SIZE * CUT * Math.log10(TEMPLATES);
      scale.replaceChildren(...rows.map(([name, powers, kind]) => html("div", {}, [
        html("div", {}, name),
        html("div", {class: `explore-amount explore-${kind}`,
                     style: `width: ${Math.max(0.8, theory.log10(powers) / most * 100)}%`})])));
    }

    function draw() {
      const net = {size: SIZE, channels: TEMPLATES, layers: [
        {window: window_, stride, channels},
        {window: Math.ceil(SIZE / stride), stride: Math.ceil(SIZE / stride), channels: 1}]};
      const found = theory.twoLayers(net), all = starts(), over = all.filter(crosses).length;
      const twin = [[channels + 1, 1]], full = [[TEMPLATES, SIZE * CUT]];
      controls.window.set(window_);
      controls.stride.set(stride, window_);
      controls.channels.set(channels);
      drawGrid();
      drawBars();
      facts.replaceChildren(
        html("p", {class: "explore-count"}, [over === 0 ? "No window crosses the middle."
          : `${over} of ${all.length} windows in a row cross the middle; ${all.length} rows: ${over * all.length}.`]),
        html("p", {class: "explore-result"}, ["Rank between the halves, for almost all weights",
          found.exact ? ": " : ", at least: ", power(found.powers)]),
        html("p", {}, theory.log10(found.powers) > Math.log10(channels + 1) + 1e-9
          ? ["Side by side, none across the middle, it takes ", found.exact ? "" : "at least ",
             ...channelsFor(found.powers), " channels."]
          : ["Side by side, none across the middle, the rank is at most one more than the channels, ",
             power(twin), "."]));
      drawScale([[["these windows"], found.powers, "these"],
                 [["side by side, none across: at most ", power(twin)], twin, "twin"],
                 [["any function: at most ", power(full)], full, "full"]]);
    }

    function at(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(grid.getScreenCTM().inverse());
      return [point.y / CELL, point.x / CELL];
    }

    let dragged = null;
    grid.addEventListener("pointerdown", event => {
      if (event.button) return;         // a menu opens, and no pointerup follows
      const [y, x] = at(event), part = event.target.dataset.part;
      dragged = part === "handle" ? {} : part === "frame" ? {dy: y - row, dx: x - column}
        : {dy: window_ / 2, dx: window_ / 2};
      grid.setPointerCapture(event.pointerId);
      move(event);
      event.preventDefault();
    });
    function move(event) {
      if (!dragged) return;
      const [y, x] = at(event);
      if ("dy" in dragged) change({row: y - dragged.dy, column: x - dragged.dx});
      else change({window: Math.round(Math.max(y - row, x - column))});
    }
    grid.addEventListener("pointermove", move);
    grid.addEventListener("pointerup", () => { dragged = null; });
    grid.addEventListener("pointercancel", () => { dragged = null; });
    keys(grid, event => {
      const moves = {ArrowLeft: {column: column - stride}, ArrowRight: {column: column + stride},
                     ArrowUp: {row: row - stride}, ArrowDown: {row: row + stride},
                     "+": {window: window_ + 1}, "-": {window: window_ - 1}};
      if (!(event.key in moves)) return;
      change(moves[event.key]);
      const span = start => `${start + 1} to ${Math.min(start + window_, SIZE)}`;
      spoken.textContent = `Rows ${span(row)}, columns ${span(column)}: `
        + `${crosses(column) ? "across the middle" : column < CUT ? "left" : "right"}.`;
      event.preventDefault();
    });

    place.append(html("div", {class: "explore-columns"}, [
      html("div", {class: "explore-picture"}, [grid, rowOfWindows]),
      html("div", {class: "explore-panel"}, [...Object.values(controls), facts, spoken, scale])]));
    change({});
  });
})();
