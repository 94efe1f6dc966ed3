/* Bounds of square networks, as lib/bounds computes them: the tests compare both on random networks.

   A network is {size, channels, layers: [{window, stride, channels}, ...]}: an image of size x size
   pixels that can each show one of `channels` templates, and layers that multiply over windows.
   A power is [base, exponent]; products of powers are lists of them. */
(function (root) {
  "use strict";

  function totals(net) {
    const cells = [net.size], strides = [1], units = [], reach = [], fields = [1];
    for (const layer of net.layers) {
      units.push(strides[strides.length - 1]);
      reach.push(layer.window - 1);
      fields.push(fields[fields.length - 1] + (layer.window - 1) * strides[strides.length - 1]);
      strides.push(strides[strides.length - 1] * layer.stride);
      cells.push(Math.ceil(cells[cells.length - 1] / layer.stride));
    }
    return {cells, strides, units, reach, fields};
  }

  /* Distances that windows 1..layer span, at most size - 1. */
  function reachable(net, layer) {
    const {units, reach} = totals(net);
    let sums = new Set([0]);
    for (let i = 0; i < layer; i++) {
      const more = new Set();
      for (const sum of sums)
        for (let a = 0; a <= reach[i] && sum + a * units[i] < net.size; a++)
          more.add(sum + a * units[i]);
      sums = more;
    }
    return [...sums].sort((a, b) => a - b);
  }

  /* Whether a cell of a layer passes over pixels between those that it sees. */
  function hasHoles(net, layer) {
    return reachable(net, layer).length < Math.min(net.size, totals(net).fields[layer]);
  }

  /* Extents without holes of what a cell of a layer sees. */
  function connectedFields(net, layer) {
    const {units, reach} = totals(net);
    const fields = new Set([1]);
    for (let i = 0; i < layer; i++)
      for (const field of [...fields])
        if (field >= units[i])
          for (let a = 1; a <= reach[i]; a++) fields.add(field + a * units[i]);
    return [...fields].sort((a, b) => a - b);
  }

  /* Whether the lower bounds hold at a layer: it is followed by others that reach a single cell. */
  function admissible(net, layer) {
    const {cells} = totals(net);
    return layer >= 1 && layer < net.layers.length && cells[cells.length - 1] === 1 &&
      net.layers.slice(layer).every(later => later.window >= later.stride);
  }

  function separatedPairs(step, extent, shift, cut) {
    const first = Math.max(0, Math.ceil((cut - shift) / step));
    const last = Math.floor(Math.min(cut - 1, extent - 1 - shift) / step);
    return Math.max(0, last - first + 1);
  }

  function narrowest(net, layer) {
    return 1 + Math.min(...net.layers.slice(0, layer).map(one => one.channels));
  }

  function log10(powers) {
    return powers.reduce((sum, [base, exponent]) => sum + exponent * Math.log10(base), 0);
  }

  function value(powers) {
    return powers.reduce((product, [base, n]) => product * BigInt(base) ** BigInt(n), 1n);
  }

  function largest(candidates) {
    let found = {powers: [], layer: null, shift: null};
    for (const one of candidates)
      if (found.layer === null || value(one.powers) > value(found.powers)) found = one;
    return found;
  }

  function crossingAt(net, layer, cut) {
    const {strides, cells} = totals(net);
    let pairs = -1, shift = 0;
    for (const one of reachable(net, layer)) {
      const found = separatedPairs(strides[layer], net.size, one, cut);
      if (found > pairs) [pairs, shift] = [found, one];
    }
    const base = Math.min(net.channels, narrowest(net, layer));
    return {powers: [[base, pairs * cells[layer]]], layer, shift};
  }

  /* A power of the templates that stops growing beyond what any of the channels could carry. */
  function capped(base, exponent, top) {
    let power = 1;
    for (let i = 0; i < exponent && power < top; i++) power *= base;
    return Math.min(top, power);
  }

  function windowFactors(net, layer, cut, field, strips, top) {
    const step = totals(net).strides[layer], found = new Map();
    for (const [rows, times] of strips)
      for (let start = 0; start < cut; start += step) {
        const before = Math.min(start + step, start + field, cut) - start;
        const after = Math.min(start + field, net.size) - Math.max(cut, start, start + field - step);
        const columns = Math.max(0, Math.min(before, after));
        const factor = capped(net.channels, rows * columns, top);
        if (factor > 1) found.set(factor, (found.get(factor) || 0) + times);
      }
    return [...found].sort((a, b) => b[0] - a[0]);
  }

  function rowStrips(net, layer) {
    const step = totals(net).strides[layer];
    const full = Math.floor(net.size / step), rest = net.size % step;
    const rows = Math.max(...connectedFields(net, layer).filter(field => field <= step));
    return [[rows, full], [Math.min(rows, rest), 1]].filter(([count, times]) => count && times);
  }

  function privateAt(net, layer, cut) {
    const {strides} = totals(net), top = narrowest(net, layer), strips = rowStrips(net, layer);
    return largest(connectedFields(net, layer).filter(field => field < net.size + strides[layer])
      .map(field => ({powers: windowFactors(net, layer, cut, field, strips, top), layer, shift: field - 1})));
  }

  function best(net, cut, at) {
    const found = [];
    for (let layer = 1; layer < net.layers.length; layer++)
      if (admissible(net, layer)) found.push(at(net, layer, cut));
    return largest(found);
  }

  const half = net => Math.floor(net.size / 2);
  const crossingBound = (net, cut = half(net)) => best(net, cut, crossingAt);
  const privateBound = (net, cut = half(net)) => best(net, cut, privateAt);

  /* The largest rank without overlap, or null where cells see both sides before the last pool. */
  function upperBound(net, cut = half(net)) {
    const {cells, strides} = totals(net);
    const merging = cells.indexOf(1);
    if (merging < 0) return null;
    const below = Math.max(0, merging - 1);
    for (const shift of reachable(net, below))
      if (separatedPairs(strides[below], net.size, shift, cut)) return null;
    if (merging === net.layers.length) return 1;
    return net.layers[merging - 1].channels + 1;
  }

  /* One layer under a product over its whole map: the rank itself where it is proved. */
  function twoLayers(net, cut = half(net)) {
    const {window, stride, channels} = net.layers[0], top = channels + 1;
    const rows = Math.ceil(net.size / stride);
    if (stride === 1) {
      const before = [[Math.min(net.channels, top), rows * Math.min(window - 1, cut)]];
      const after = [[net.channels, rows * Math.min(window - 1, net.size - cut)]];
      return {powers: value(before) <= value(after) ? before : after, exact: true};
    }
    const over = [];
    for (let start = 0; start < cut; start += stride) if (start + window > cut) over.push(start);
    if (over.length && over[over.length - 1] + window > net.size)
      return {powers: largest([crossingBound(net, cut), privateBound(net, cut)]).powers, exact: false};
    return {powers: windowFactors(net, 1, cut, window, rowStrips(net, 1), top), exact: true};
  }

  /* The channels that a rank takes without overlap, one less than it: as a text, or from seven digits on the
     power of ten that they exceed. */
  function channelsWithout(powers) {
    const needed = value(powers) - 1n, digits = String(needed).length - 1;
    return digits < 6 ? {count: needed.toLocaleString("en-US")} : {digits};
  }

  /* The largest set of disjoint pairs of comparable pixels, one on each side: [[p, q], ...], p <= q. */
  function matching(side, columns, window = [side.length / columns, columns]) {
    const place = p => [Math.floor(p / columns), p % columns];
    const sees = (p, q) => place(p).every((a, i) => a <= place(q)[i] && place(q)[i] < a + window[i]);
    const partner = new Map();
    function augment(p, tried) {
      for (let q = 0; q < side.length; q++) {
        if (side[q] || tried.has(q) || !(sees(p, q) || sees(q, p))) continue;
        tried.add(q);
        if (!partner.has(q) || augment(partner.get(q), tried)) {
          partner.set(q, p);
          return true;
        }
      }
      return false;
    }
    side.forEach((rows, p) => { if (rows) augment(p, new Set()); });
    return [...partner].map(pair => [Math.min(...pair), Math.max(...pair)]).sort((a, b) => a[0] - b[0]);
  }

  /* A set of nodes and leaves of a mode tree that separates its two sides at the smallest product of
     widths; a node is {children, width}, a leaf the number of its mode. */
  function smallestCut(tree, side, templates) {
    const cheaper = (one, other) => one.price <= other.price ? one : other;
    const together = cuts => ({price: cuts.reduce((product, cut) => product * cut.price, 1),
                               parts: cuts.flatMap(cut => cut.parts)});
    function below(node) {
      if (typeof node === "number") {
        const kept = {price: 1, parts: []}, cut = {price: templates, parts: [node]};
        return side[node] ? [kept, cut] : [cut, kept];
      }
      const pairs = node.children.map(below);
      const here = together([{price: node.width, parts: [node]}, ...pairs.map(pair => cheaper(...pair))]);
      return [0, 1].map(s => cheaper(here, together(pairs.map(pair => pair[s]))));
    }
    return cheaper(...below(tree));
  }

  const minimumCut = (tree, side, templates) => smallestCut(tree, side, templates).price;

  /* Rank of a small table of integers, by elimination without fractions. */
  function rank(table) {
    const rows = table.map(row => row.map(BigInt));
    let found = 0;
    for (let column = 0; column < rows[0].length && found < rows.length; column++) {
      const pivot = rows.findIndex((row, i) => i >= found && row[column] !== 0n);
      if (pivot < 0) continue;
      [rows[found], rows[pivot]] = [rows[pivot], rows[found]];
      for (let i = found + 1; i < rows.length; i++) {
        const [a, b] = [rows[found][column], rows[i][column]];
        rows[i] = rows[i].map((entry, j) => entry * a - rows[found][j] * b);
      }
      found++;
    }
    return found;
  }

  root.overlapTheory = {rank, matching, smallestCut, minimumCut, totals, reachable, hasHoles, connectedFields, admissible, crossingBound, privateBound,
                        upperBound, twoLayers, channelsWithout, value, log10};
})(typeof window === "undefined" ? globalThis : window);
