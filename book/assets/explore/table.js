/* A table of 3 x 3 numbers, what the network answers on the left and right pixel: its rank. */
(function () {
  "use strict";
  const {examples, html, register} = window.explore, theory = window.overlapTheory;
  const SIDE = 3;
  const EXAMPLES = {
    "a sum: i + j": (i, j) => i + j, "a product: (i + 1)(j + 1)": (i, j) => (i + 1) * (j + 1),
    "equal or not": (i, j) => Number(i === j), "the larger one": (i, j) => Math.max(i, j),
    "only the left pixel": i => i,
  };

  function words(rank) {
    return [
      "Every answer is 0.",
      "One product: a factor for the left pixel times a factor for the right one.",
      "Two products are needed. A term for the left plus a term for the right never takes more.",
      "Three products are needed: as many as any table of this size.",
    ][rank];
  }

  register("table", (place, stored, store) => {
    let table = Array.from({length: SIDE}, (_, i) => Array.from({length: SIDE}, (_, j) => i + j));
    if (stored && stored.length === SIDE * SIDE && stored.every(n => Number.isInteger(n) && Math.abs(n) <= 99))
      table = table.map((row, i) => row.map((_, j) => stored[SIDE * i + j]));
    const inputs = table.map((row, i) => row.map((value, j) => {
      const input = html("input", {type: "number", step: 1, min: -99, max: 99, value,
        "aria-label": `left pixel ${i}, right pixel ${j}`, class: "explore-entry"});
      input.addEventListener("input", () => {
        const typed = Number(input.value);
        if (input.value === "" || !Number.isInteger(typed) || Math.abs(typed) > 99)
          input.setAttribute("aria-invalid", "true");
        else {
          input.removeAttribute("aria-invalid");
          table[i][j] = typed;
        }
        draw();
      });
      return input;
    }));
    const facts = html("div", {class: "explore-facts", "aria-live": "polite"});
    const [choice, nameExample] = examples("explore-table-examples", EXAMPLES, entry => {
      table = table.map((row, i) => row.map((_, j) => entry(i, j)));
      inputs.forEach((row, i) => row.forEach((input, j) => {
        input.value = table[i][j];
        input.removeAttribute("aria-invalid");
      }));
      draw();
    });

    function draw() {
      if (inputs.flat().some(input => input.hasAttribute("aria-invalid"))) {
        nameExample(() => false);
        facts.replaceChildren(html("p", {}, ["Every entry needs an integer from −99 to 99."]));
        return;                         // a rank would be that of another table
      }
      nameExample(entry => table.every((row, i) => row.every((n, j) => n === entry(i, j))));
      const rank = theory.rank(table);
      facts.replaceChildren(html("p", {class: "explore-result"}, [`Rank ${rank}`]),
                            html("p", {}, [words(rank)]));
      store(table.flat());
    }

    const head = html("tr", {}, [html("td", {}, []), ...[0, 1, 2].map(j =>
      html("th", {scope: "col"}, [`right ${j}`]))]);
    const body = inputs.map((row, i) => html("tr", {}, [html("th", {scope: "row"}, [`left ${i}`]),
      ...row.map(input => html("td", {}, [input]))]));
    place.append(
      html("div", {class: "explore-line"}, [html("label", {for: "explore-table-examples"}, ["Example"]), choice]),
      html("div", {class: "explore-columns"}, [
        html("div", {class: "explore-picture"}, [html("table", {class: "explore-table"}, [head, ...body])]),
        html("div", {class: "explore-panel"}, [facts])]));
    draw();
  });
})();
