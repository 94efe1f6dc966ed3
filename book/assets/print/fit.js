/* What is wider than the page of the printed book is set smaller; what still does not fit is named. */
function fitted() {
  "use strict";
  const SMALLEST = 0.55, main = document.body, edge = main.getBoundingClientRect().right + 0.5, wide = [];
  for (const item of MathJax.startup.document.math) {
    const formula = item.typesetRoot;
    formula.querySelectorAll("mjx-assistive-mml").forEach(hidden => hidden.remove());
    formula.setAttribute("role", "img");
    formula.setAttribute("aria-label", item.math);
    formula.querySelector("svg").setAttribute("aria-hidden", "true");
  }
  const width = element => element.getBoundingClientRect().width;
  for (const formula of document.querySelectorAll("mjx-container[display]")) {
    const room = formula.parentElement.clientWidth - 2, svg = formula.querySelector("svg");
    if (svg && width(svg) > room) formula.style.fontSize = `${Math.max(SMALLEST, room / width(svg)) * 100}%`;
  }
  for (const table of document.querySelectorAll("table")) {
    const room = table.parentElement.clientWidth + 0.5;
    for (let size = 0.88; width(table) > room && size > SMALLEST; size -= 0.04) table.style.fontSize = `${size}em`;
    if (width(table) > room) table.classList.add("narrow");
  }
  if (main.scrollWidth > main.clientWidth + 1) wide.push("something hidden");
  for (const element of document.querySelectorAll("table, pre, img, mjx-container > svg, p, li")) {
    const right = element.getBoundingClientRect().right;
    if (right > edge || element.scrollWidth > element.clientWidth + 2 && element.matches("pre"))
      wide.push((element.closest("section[id], div[id]") || main).id + " " + element.tagName.toLowerCase());
  }
  document.documentElement.dataset.wide = [...new Set(wide)].slice(0, 12).join(", ");
  document.documentElement.dataset.typeset = "done";
}
