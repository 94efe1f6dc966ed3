/* Five things that pages do for themselves: a punctuation mark stays on the line of the formula that it
   follows, a name that has no room is broken where one of its words ends, a box that holds more than it
   shows fades out on that side and can be scrolled by key, what a browser's reader view copies is
   whole: each formula, and each drawing once, and what is printed is dark on white. */
window.addEventListener("load", function () {
  "use strict";
  const article = document.querySelector("main") || document.body;

  function keepTogether(formula) {
    const span = formula.parentNode, next = span.nextSibling;
    if (!span.classList.contains("math") || !next || next.nodeType !== Node.TEXT_NODE) return;
    const mark = next.nodeValue.match(/^[.,;:!?)\]’”-]+/);
    if (!mark) return;
    const together = document.createElement("span");
    together.className = "together";
    span.parentNode.insertBefore(together, span);
    together.append(span, mark[0]);
    next.nodeValue = next.nodeValue.slice(mark[0].length);
  }

  function breakAtWords(name) {
    const words = name.textContent.replace(/([_(]|\.(?!\d))(?=.)/g, "$1\n").split("\n");
    name.replaceChildren(...words.flatMap((word, i) =>
      i ? [document.createElement("wbr"), word] : [word]));
  }
  for (const name of article.querySelectorAll("code.literal .pre"))
    if (!name.childElementCount) breakAtWords(name);

  // A reader view leaves out what is named like a menu, as MathJax names formulas, unless it is named
  // content as well.
  function keepInReaderView(formula) { formula.classList.add("content-formula"); }

  // It does not know the rules by which a drawing's copy for the other theme is not displayed.
  function hideTheOtherTheme() {
    for (const theme of ["light", "dark"])
      for (const image of article.querySelectorAll("img.only-" + theme))
        image.hidden = theme !== document.documentElement.dataset.theme;
  }
  if (document.documentElement.dataset.theme) {
    new MutationObserver(hideTheOtherTheme)
      .observe(document.documentElement, {attributeFilter: ["data-theme"]});
    hideTheOtherTheme();
  }

  // Paper is white: formulas and drawings of the dark theme could not be read on it.
  let chosen = null;
  addEventListener("beforeprint", () => {
    chosen = document.documentElement.dataset.theme;
    if (chosen) document.documentElement.dataset.theme = "light";
  });
  addEventListener("afterprint", () => {
    if (chosen) document.documentElement.dataset.theme = chosen;
  });

  function showMore(box) {
    const more = box.scrollWidth - box.clientWidth;
    if (more > 1 && /auto|scroll/.test(getComputedStyle(box).overflowX)) {
      box.dataset.scroll = box.scrollLeft <= 1 ? "start" : box.scrollLeft >= more - 1 ? "end" : "middle";
      if (!box.querySelector("a[href], button, input, [tabindex='0']")) box.tabIndex = 0;
    } else if (box.dataset.scroll) {
      delete box.dataset.scroll;
      box.removeAttribute("tabindex");
    }
  }

  function watch() {
    // A formula in a sentence cannot break; one that is wider than the column scrolls.
    const inline = [...article.querySelectorAll("span.math")];
    const boxes = [...article.querySelectorAll("div.math, mjx-container[display], pre, table, .output")];
    function measure() {
      const room = inline.map(span => {
        const block = span.closest("p, li, td, th, dd, figcaption, h1, h2, h3, section, div");
        return block ? block.clientWidth : Infinity;
      });
      const wide = inline.map((span, i) =>
        (span.firstElementChild || span).getBoundingClientRect().width > room[i]);
      inline.forEach((span, i) => span.classList.toggle("wide", room[i] > 0 && wide[i]));
      boxes.forEach(showMore);
      inline.filter(span => span.classList.contains("wide") || span.dataset.scroll).forEach(showMore);
    }
    article.addEventListener("scroll", event => event.target.dataset && showMore(event.target), true);
    new ResizeObserver(measure).observe(article);
    measure();
  }

  if (window.MathJax && MathJax.startup) {
    MathJax.startup.promise.then(function () {
      article.querySelectorAll("mjx-container").forEach(keepInReaderView);
      article.querySelectorAll("mjx-container:not([display])").forEach(keepTogether);
      watch();
    });
  } else watch();
});
