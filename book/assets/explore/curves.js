/* Scrub the training: accuracy against channels after every epoch, from the stored runs. */
(function () {
  "use strict";
  const {element, html, slider, register} = window.explore, data = window.trainingCurves;
  const WIDTH = 460, HEIGHT = 300, LEFT = 44, BOTTOM = 40, TOP = 10, RIGHT = 96;
  const NAMES = {B1: "B = 1", B2: "B = 2", B3: "B = 3", B4: "B = 4", B5: "B = 5", conv2: "2 × 2, stride 2"};

  register("curves", (place, stored, store) => {
    const kinds = Object.keys(data), epochs = Object.values(Object.values(data[kinds[0]])[0])[0].length;
    let [kind, epoch] = stored && stored.length === 2 && stored[0] in kinds && stored[1] >= 1 && stored[1] <= epochs
      ? [kinds[stored[0]], stored[1]] : [kinds[0], epochs];
    const chart = element("svg", {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "explore-chart"});
    const choice = html("select", {id: "explore-curves-kind"}, kinds.map(name => html("option", {value: name},
      [`${name} augmentation`])));
    const epochSlider = slider("explore-curves-epoch", {label: "Epoch", min: 1, max: epochs, value: epoch,
      input: value => { epoch = value; draw(); }});
    const facts = html("div", {class: "explore-facts", "aria-live": "polite"});
    choice.addEventListener("change", () => { kind = choice.value; draw(); });

    function draw() {
      const lines = data[kind], widths = [...new Set(Object.values(lines).flatMap(Object.keys))].map(Number);
      const low = Math.log2(Math.min(...widths)), high = Math.log2(Math.max(...widths));
      const x = channels => LEFT + (Math.log2(channels) - low) / (high - low) * (WIDTH - LEFT - RIGHT);
      const y = promille => HEIGHT - BOTTOM - promille / 1000 * (HEIGHT - BOTTOM - TOP);
      const marks = [0, 250, 500, 750, 1000].flatMap(value => [
        element("line", {x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value), class: "explore-grid-line"}),
        element("text", {x: LEFT - 6, y: y(value) + 4, "text-anchor": "end", class: "explore-note"},
                [(value / 1000).toFixed(2)])]);
      const ticks = widths.filter(channels => Math.log2(channels) % 2 === 0).map(channels =>
        element("text", {x: x(channels), y: HEIGHT - BOTTOM + 18, "text-anchor": "middle", class: "explore-note"},
                [String(channels)]));
      const ends = [];
      const drawn = Object.entries(lines).flatMap(([block, cells]) => {
        const points = Object.entries(cells).map(([channels, curve]) => [x(Number(channels)), y(curve[epoch - 1])])
          .sort((a, b) => a[0] - b[0]);
        ends.push([block, points[points.length - 1]]);
        return [element("polyline", {points: points.map(point => point.join(",")).join(" "),
                                     class: `explore-curve explore-${block}`}),
                ...points.map(([cx, cy]) => element("circle", {cx, cy, r: 3.2, class: `explore-dot explore-${block}`}))];
      });
      ends.sort((a, b) => a[1][1] - b[1][1]);
      // Labels of lines that end at one place stand below each other, and none below the axis.
      const above = new Map(), below = new Map();
      const placed = ends.map(([block, [cx, cy]]) => {
        above.set(cx, Math.max(cy + 4, (above.get(cx) ?? -Infinity) + 14));
        return [block, cx, above.get(cx)];
      });
      const labels = placed.reverse().map(([block, cx, low]) => {
        below.set(cx, Math.min(low, (below.get(cx) ?? HEIGHT - BOTTOM + 14) - 14));
        return element("text", {x: cx + 8, y: below.get(cx), class: `explore-note explore-label explore-${block}`},
                       [NAMES[block]]);
      });
      chart.setAttribute("aria-label", `Training accuracy against channels in epoch ${epoch}, ${kind} augmentation`);
      chart.replaceChildren(...marks, ...ticks, element("text", {x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 4,
        "text-anchor": "middle", class: "explore-note"}, ["channels C"]), ...drawn, ...labels);
      const at = block => ["16", "32"].filter(c => lines[block] && lines[block][c])
        .map(c => `${(lines[block][c][epoch - 1] / 1000).toFixed(3)} with ${c}`).join(", ");
      choice.value = kind;
      epochSlider.set(epoch);
      facts.replaceChildren(html("p", {}, [`Mean training accuracy in epoch ${epoch}, by channels:`]),
        html("ul", {class: "explore-list"}, Object.keys(lines).filter(at).map(block =>
          html("li", {}, [`${NAMES[block]}: ${at(block)}`]))));
      store([kinds.indexOf(kind), epoch]);
    }

    place.append(html("div", {class: "explore-line"}, [html("label", {for: "explore-curves-kind"}, ["Images under"]),
      choice]), epochSlider, html("div", {class: "explore-columns"}, [
        html("div", {class: "explore-picture explore-wide"}, [chart]), html("div", {class: "explore-panel"}, [facts])]));
    draw();
  });
})();
