/* Paint a partition of 16 pixels: the pairs that windows can compare, and what trees can do with it. */
(function () {
  "use strict";
  const {element, html, keys, power, register} = window.explore, theory = window.overlapTheory;
  const SIDE = 4, PIXELS = SIDE * SIDE, CELL = 62, TEMPLATES = 2;
  const PRESETS = {
    "left and right": (i, j) => j < 2, "top and bottom": i => i < 2,
    "checkerboard": (i, j) => (i + j) % 2 === 0,
    "corner": (i, j) => i > 0 && j < 3 && !(i === 1 && j === 2),
  };

  /* A tree over pixels in this order: nodes of `pool` children, widths from the pixels to the root. */
  function tree(order, pool, widths) {
    let nodes = order;
    for (const width of widths) {
      const above = [];
      for (let i = 0; i < nodes.length; i += pool) above.push({children: nodes.slice(i, i + pool), width});
      nodes = above;
    }
    return nodes[0];
  }

  const all = Array.from({length: PIXELS}, (_, p) => p);
  const blocks = [0, 2].flatMap(a => [0, 2].flatMap(b => [a, a + 1].flatMap(i => [b, b + 1].map(j => SIDE * i + j))));
  const mirrored = Array.from({length: 8}, (_, i) => [i, PIXELS - 1 - i]).flat();
  const TREES = {
    "pools of 2 × 2 blocks, widths 16, 8": tree(blocks, 4, [16, 8]),
    "pools of pairs, row by row, widths 4, 16, 16, 8": tree(all, 2, [4, 16, 16, 8]),
    "pools of mirror pixels, widths 4, 16, 16, 8": tree(mirrored, 2, [4, 16, 16, 8]),
  };

  function painted(rule) { return all.map(p => rule(Math.floor(p / SIDE), p % SIDE)); }

  register("partition", (place, stored, store) => {
    let side = painted(PRESETS.corner), at = 0;
    if (stored && stored.length === 1 && stored[0] >= 0 && stored[0] < 2 ** PIXELS)
      side = all.map(p => Math.floor(stored[0] / 2 ** p) % 2 === 1);
    const grid = element("svg", {viewBox: `-4 -4 ${SIDE * CELL + 8} ${SIDE * CELL + 8}`, tabindex: 0,
      role: "application", class: "explore-grid", "aria-label":
      "Partition of 4 by 4 pixels. Arrow keys choose a pixel, space moves it to the other side."});
    const facts = html("div", {class: "explore-facts", "aria-live": "polite"});
    const spoken = html("div", {class: "visually-hidden", "aria-live": "polite"});
    const buttons = Object.entries(PRESETS).map(([name, rule]) => {
      const button = html("button", {type: "button", class: "explore-button"}, [name]);
      button.addEventListener("click", () => { side = painted(rule); draw(); });
      return button;
    });

    function draw() {
      const pairs = theory.matching(side, SIDE), number = new Map();
      pairs.forEach((pair, i) => pair.forEach(p => number.set(p, i + 1)));
      const center = p => [(p % SIDE + 0.5) * CELL, (Math.floor(p / SIDE) + 0.5) * CELL];
      grid.replaceChildren(...all.flatMap(p => {
        const [x, y] = center(p), alone = !number.has(p);
        return [element("rect", {x: x - CELL / 2 + 2, y: y - CELL / 2 + 2, width: CELL - 4, height: CELL - 4,
                  rx: 5, class: (side[p] ? "explore-left" : "explore-right") + (alone ? " explore-alone" : "")
                    + (p === at ? " explore-at" : "")}),
                element("text", {x, y: y + 6, "text-anchor": "middle", class: "explore-note"},
                        [alone ? "" : String(number.get(p))])];
      }));
      const even = side.filter(Boolean).length === PIXELS / 2;
      facts.replaceChildren(
        html("p", {}, [`${pairs.length} pairs of comparable pixels across the partition`
          + (2 * pairs.length < PIXELS ? `; ${PIXELS - 2 * pairs.length} pixels without a partner.` : ".")]),
        html("p", {class: "explore-result"}, even
          ? ["One overlapping layer, 2 channels: for almost all weights the rank is at least ",
             power([[TEMPLATES, pairs.length]])]
          : [`The theorem is about halves: ${side.filter(Boolean).length} and `
             + `${PIXELS - side.filter(Boolean).length} pixels are none.`]),
        html("p", {}, ["Without overlap and biases, for all weights at most:"]),
        html("ul", {class: "explore-list"}, Object.entries(TREES).map(([name, one]) => html("li", {},
          [`${name}: `, html("strong", {class: "explore-cut-value"},
                             [String(theory.minimumCut(one, side, TEMPLATES))])]))));
      store([all.reduce((sum, p) => sum + (side[p] ? 2 ** p : 0), 0)]);
    }

    let painting = null;
    function pixel(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(grid.getScreenCTM().inverse());
      const [i, j] = [Math.floor(point.y / CELL), Math.floor(point.x / CELL)];
      return i >= 0 && j >= 0 && i < SIDE && j < SIDE ? SIDE * i + j : null;
    }
    function paint(event) {
      const p = pixel(event);
      if (painting === null || p === null || side[p] === painting) return;
      side[p] = painting;
      at = p;
      draw();
    }
    grid.addEventListener("pointerdown", event => {
      const p = pixel(event);
      if (p === null || event.button) return;
      painting = !side[p];
      grid.setPointerCapture(event.pointerId);
      paint(event);
      event.preventDefault();
    });
    grid.addEventListener("pointermove", paint);
    grid.addEventListener("pointerup", () => { painting = null; });
    grid.addEventListener("pointercancel", () => { painting = null; });
    keys(grid, event => {
      const [i, j] = [Math.floor(at / SIDE), at % SIDE];
      const moves = {ArrowLeft: [i, j - 1], ArrowRight: [i, j + 1], ArrowUp: [i - 1, j], ArrowDown: [i + 1, j]};
      if (event.key === " ") side[at] = !side[at];
      else if (event.key in moves) {
        const [a, b] = moves[event.key];
        if (a >= 0 && b >= 0 && a < SIDE && b < SIDE) at = SIDE * a + b;
      } else return;
      draw();
      spoken.textContent = `Row ${Math.floor(at / SIDE) + 1}, column ${at % SIDE + 1}: `
        + `${side[at] ? "blue" : "orange"}.`;
      event.preventDefault();
    });

    place.append(html("div", {class: "explore-line"}, buttons), html("div", {class: "explore-columns"}, [
      html("div", {class: "explore-picture"}, [grid]), html("div", {class: "explore-panel"}, [facts, spoken])]));
    draw();
  });
})();
