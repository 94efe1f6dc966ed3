/* The receptive-field explorer. It draws what explorer-data.js holds and computes nothing else. */
(function () {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const CELL = 20;

  function element(name, attributes, text) {
    const node = document.createElementNS(SVG, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function field(svg, network, layer, column, row, kind) {
    const left = column * layer.step, top = row * layer.step;
    const width = Math.min(layer.field, network.size - left);
    const height = Math.min(layer.field, network.size - top);
    if (width <= 0 || height <= 0) return;
    svg.appendChild(element("rect", {
      x: left * CELL, y: top * CELL, width: width * CELL, height: height * CELL,
      class: "explorer-field explorer-" + kind
    }));
  }

  function draw(root, network, index, column, row) {
    const layer = network.layers[index], side = network.size * CELL;
    const svg = root.querySelector("svg");
    svg.replaceChildren();
    svg.setAttribute("viewBox", `-2 -2 ${side + 4} ${side + 4}`);
    for (let i = 0; i <= network.size; i++) {
      const at = i * CELL, kind = i * 2 === network.size ? "explorer-half" : "explorer-line";
      svg.appendChild(element("line", {x1: 0, x2: side, y1: at, y2: at, class: "explorer-line"}));
      svg.appendChild(element("line", {x1: at, x2: at, y1: 0, y2: side, class: kind}));
    }
    field(svg, network, layer, column + 1, row, "neighbor");
    field(svg, network, layer, column, row, "cell");
    const shared = Math.max(0, layer.field - layer.step);
    const crosses = layer.minimal === null
      ? "No field of this layer exceeds half of the width."
      : `The smallest field above half of the width that its windows allow: ${layer.minimal}.`;
    const bound = network.boundLayer === null
      ? "No layer gives a bound above 1."
      : `Lower bound on the left–right rank: ${network.bound}, from layer ${network.boundLayer}.`;
    root.querySelector("output").textContent =
      `Layer ${index + 1}: window ${layer.window}, stride ${layer.stride}, ` +
      `map ${layer.cells}×${layer.cells}. Total receptive field T_R = ${layer.field}, ` +
      `total stride T_S = ${layer.step}; neighbors share ${shared} of ${layer.field} columns. ` +
      `${crosses} ${bound}`;
  }

  function start(root) {
    const networks = window.explorerData;
    const [choice, layers, columns] = root.querySelectorAll("select, input");
    networks.forEach((n, i) => choice.appendChild(new Option(n.name, i)));
    function update(reset) {
      const network = networks[choice.value];
      layers.max = network.layers.length;
      if (reset) layers.value = 1;
      const index = Math.min(layers.value, network.layers.length) - 1;
      columns.max = Math.max(0, network.layers[index].cells - 2);
      draw(root, network, index, Math.min(columns.value, columns.max), 0);
    }
    choice.addEventListener("change", () => update(true));
    layers.addEventListener("input", () => update(false));
    columns.addEventListener("input", () => update(false));
    choice.value = 2;
    update(true);
  }

  document.addEventListener("DOMContentLoaded", () =>
    document.querySelectorAll(".explorer").forEach(start));
})();
