/* Keep a punctuation mark on the line of the formula that it follows. */
window.addEventListener("load", function () {
  "use strict";
  if (!window.MathJax || !MathJax.startup) return;
  MathJax.startup.promise.then(function () {
    document.querySelectorAll("mjx-container:not([display])").forEach(function (formula) {
      const span = formula.parentNode, next = span.nextSibling;
      if (!span.classList.contains("math") || !next || next.nodeType !== Node.TEXT_NODE) return;
      const mark = next.nodeValue.match(/^[.,;:!?)\]’”-]+/);
      if (!mark) return;
      const together = document.createElement("span");
      together.style.whiteSpace = "nowrap";
      span.parentNode.insertBefore(together, span);
      together.append(span, mark[0]);
      next.nodeValue = next.nodeValue.slice(mark[0].length);
    });
  });
});
