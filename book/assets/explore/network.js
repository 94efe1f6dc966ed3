/* Type an architecture: what its cells see, and what follows for the rank between the halves. */
(function () {
  "use strict";
  const {element, examples, html, power, slider, register} = window.explore, theory = window.overlapTheory;
  const WIDTH = 360, LIMITS = {size: [2, 64], channels: [1, 999], window: [1, 64], stride: [1, 64]};
  const EXAMPLES = {
    "blocks with 3 × 3 windows": "16 16 3/1:16 2/2:16 3/1:16 2/2:16 3/1:16 2/2:16 2/2:1",
    "blocks without overlap": "16 16 1/1:16 2/2:16 1/1:16 2/2:16 1/1:16 2/2:16 2/2:1",
    "strides with overlap": "16 16 4/2:16 4/2:16 4/4:1",
    "one layer and a product": "8 64 3/1:3 8/8:1",
  };

  function number(text, name) {
    const [low, high] = LIMITS[name] || LIMITS.channels, value = Number(text);
    if (!/^\d+$/.test(text) || value < low || value > high)
      throw new Error(`${name} ${text}: an integer from ${low} to ${high} is needed`);
    return value;
  }

  /* "16 8 3/1:4 16/16:1" is an image of 16 x 16 pixels, 8 templates, and layers window/stride:channels. */
  function parse(text) {
    const [size, channels, ...layers] = text.trim().split(/[\s,]+/);
    if (!layers.length) throw new Error("size, templates and at least one layer are needed, as in 8 4 3/1:2 8/8:1");
    return {size: number(size, "size"), channels: number(channels, "templates"), layers: layers.map(layer => {
      const parts = layer.match(/^(\d+)\/(\d+):(\d+)$/);
      if (!parts) throw new Error(`layer ${layer}: write window/stride:channels, as in 3/1:16`);
      return {window: number(parts[1], "window"), stride: number(parts[2], "stride"),
              channels: number(parts[3], "channels")};
    })};
  }

  register("network", (place, stored, store) => {
    let net = parse(Object.values(EXAMPLES)[0]), layer = 1;
    const text = html("textarea", {rows: 2, id: "explore-network-text", spellcheck: "false",
                                   autocomplete: "off", class: "explore-text"});
    const problem = html("p", {class: "explore-problem", role: "alert"});
    const [choice, nameExample] = examples("explore-network-examples", EXAMPLES, words => {
      text.value = words;
      layer = 1;
      read();
    });
    const layers = slider("explore-network-layer", {label: "Layer", min: 1, max: 1, value: 1,
      input: value => { layer = value; draw(); }});
    const fields = element("svg", {role: "img", class: "explore-fields"});
    const facts = html("div", {class: "explore-facts", "aria-live": "polite"});

    function written() {
      return [net.size, net.channels,
              ...net.layers.map(one => `${one.window}/${one.stride}:${one.channels}`)].join(" ");
    }

    function drawFields() {
      const {cells, strides, fields: extents} = theory.totals(net), cut = Math.floor(net.size / 2);
      const unit = WIDTH / net.size, count = cells[layer], step = Math.min(14, 220 / count);
      const shifts = theory.reachable(net, layer), bars = [];
      for (let i = 0; i < count; i++) {
        const start = i * strides[layer], end = Math.min(net.size, start + extents[layer]);
        const sees = (low, high) => shifts.some(shift => low <= start + shift && start + shift < high);
        bars.push(element("rect", {x: start * unit + 1, y: 22 + i * step, height: Math.max(2, step - 3),
          width: Math.max(1, (end - start) * unit - 2), rx: 2,
          class: "explore-bar" + (sees(0, cut) && sees(cut, net.size) ? " explore-crossing" : "")}));
      }
      const height = 26 + count * step;
      fields.setAttribute("viewBox", `-4 0 ${WIDTH + 8} ${height}`);
      fields.setAttribute("aria-label", `What the ${count} cells in a row of layer ${layer} see`);
      const pixels = Array.from({length: net.size}, (_, i) => element("rect", {x: i * unit + 0.5, y: 2,
        width: unit - 1, height: 12, class: i < cut ? "explore-left" : "explore-right"}));
      fields.replaceChildren(...pixels, ...bars, element("line", {x1: cut * unit, x2: cut * unit, y1: 0,
        y2: height, class: "explore-cut"}));
    }

    function sentence(net_) {
      const crossing = theory.crossingBound(net_), single = theory.privateBound(net_);
      const found = theory.value(single.powers) > theory.value(crossing.powers) ? single : crossing;
      if (found.layer === null)
        return ["No layer satisfies the hypotheses of the lower bounds: layers after it must reach a single "
                + "cell, with windows no smaller than their strides."];
      return ["Rank between left and right, for almost all weights, at least ", power(found.powers),
              ` (layer ${found.layer}).`];
    }

    function draw() {
      const {cells, strides, fields: extents} = theory.totals(net);
      layer = Math.min(layer, net.layers.length);
      layers.set(layer, net.layers.length);
      const shared = Math.max(0, extents[layer] - strides[layer]), upper = theory.upperBound(net);
      const one = net.layers[layer - 1], holes = theory.hasHoles(net, layer);
      facts.replaceChildren(
        html("p", {}, [`Layer ${layer}, window ${one.window}, stride ${one.stride}: `
          + (cells[layer] > 1 ? `${cells[layer]} × ${cells[layer]} cells. Each ` : "one cell. It ")
          + `${holes ? "spans" : "sees"} ${extents[layer]} ${extents[layer] > 1 ? "pixels" : "pixel"} in a row`
          + (holes ? ", not all seen" : "")
          + (extents[layer] > net.size ? ", as if the image went on" : "")
          + (cells[layer] > 1 ? `${holes || extents[layer] > net.size ? "," : ""} and begins ${strides[layer]} after `
             + `the one before; ${holes ? "spans of " : ""}neighbors share ${shared}.` : ".")]),
        html("p", {class: "explore-result"}, sentence(net)),
        html("p", {}, upper === null ? [] : [`At most ${upper}: no cell sees both halves before the map is a single cell.`]));
      drawFields();
      store([...net.layers.flatMap(l => [l.window, l.stride, l.channels]), net.size, net.channels, layer]);
    }

    function read() {
      nameExample(words => words === text.value.trim().replace(/\s+/g, " "));
      try {
        net = parse(text.value);
        problem.textContent = "";
        text.removeAttribute("aria-invalid");
        draw();
      } catch (error) {
        problem.textContent = error.message;
        text.setAttribute("aria-invalid", "true");
      }
    }

    text.addEventListener("input", read);
    place.append(
      html("div", {class: "explore-line"}, [html("label", {for: "explore-network-examples"}, ["Example"]), choice]),
      html("label", {for: "explore-network-text"}, ["Size, templates, then window/stride:channels of every layer"]),
      text, problem, html("div", {class: "explore-columns"}, [
        html("div", {class: "explore-picture"}, [fields]),
        html("div", {class: "explore-panel"}, [layers, facts])]));
    if (stored && stored.length > 5 && stored.every(Number.isInteger)) {
      const [size, channels, shown] = stored.slice(-3), flat = stored.slice(0, -3), parts = [];
      for (let i = 0; i + 2 < flat.length; i += 3) parts.push(`${flat[i]}/${flat[i + 1]}:${flat[i + 2]}`);
      text.value = [size, channels, ...parts].join(" ");
      layer = shown;
    } else text.value = written();
    read();
  });
})();
