/* What a page shows that it should not, as lists of words; lib/course/inspection.py runs this.
   Defines inspectPage(), which looks at the page as it stands: at this width, in this theme. */
(() => {
  "use strict";
  const main = () => document.querySelector("main article, main, body");

  // A color on its way from one theme to the other is no color of the page.
  const still = document.createElement("style");
  still.textContent = "*, *::before, *::after { transition: none !important; animation: none !important; }";
  document.head.append(still);

  const named = element => {
    const kind = element.getAttribute("class") || "";
    const text = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
    const place = element.closest("[id]");
    return `${element.tagName.toLowerCase()}${kind ? "." + kind.trim().split(/\s+/)[0] : ""}`
      + `${place ? " in #" + place.id : ""}${text ? " “" + text + "”" : ""}`;
  };

  const visible = element => {
    if (!element.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) return false;
    const box = element.getBoundingClientRect();
    // A pixel with its content hidden is for screen readers.
    return box.width > 2 && box.height > 2;
  };

  /* A box that scrolls says so: by a fade at its edge, which lib's page script puts there. */
  const scrolls = element => /auto|scroll/.test(getComputedStyle(element).overflowX);
  const clips = element => /hidden|clip/.test(getComputedStyle(element).overflowX);
  const cued = element => getComputedStyle(element).maskImage.includes("gradient");
  const reachable = element => element.tabIndex >= 0
    || element.querySelector("a[href], button, input, [tabindex='0']");

  function cut() {
    const found = [], page = document.scrollingElement;
    for (const element of main().querySelectorAll("*")) {
      if (element.closest("svg, mjx-assistive-mml") || !visible(element)) continue;
      const over = element.scrollWidth - element.clientWidth;
      if (over > 1 && element.clientWidth > 0) {
        if (scrolls(element) && !(cued(element) && reachable(element)))
          found.push(`scrolls ${over} px without a cue: ${named(element)}`);
        if (clips(element) && !element.matches("summary, button, .headerlink"))
          found.push(`hides ${over} px: ${named(element)}`);
      }
    }
    // What stands beyond the edge of the page without any box that scrolls.
    for (const element of main().querySelectorAll("mjx-container, table, pre, img, figure, svg, p, li")) {
      if (element.closest("mjx-container *, svg *") || !visible(element)) continue;
      let box = element.parentElement;
      while (box && !scrolls(box) && !clips(box)) box = box.parentElement;
      if (box && box !== document.documentElement && box !== document.body
          && main().contains(box)) continue;
      const {left, right} = element.getBoundingClientRect();
      if (right > page.clientWidth + 1 || left < -1)
        found.push(`beyond the page by ${Math.round(Math.max(right - page.clientWidth, -left))} px: `
          + named(element));
    }
    return found;
  }

  /* Contrast as in the Web Content Accessibility Guidelines. */
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const known = new Map();
  function rgba(color) {
    if (!known.has(color)) {
      const parts = color.match(/^rgba?\(([^)]*)\)$/);
      if (parts) {
        const [r, g, b, a = 1] = parts[1].split(/[ ,/]+/).map(Number);
        known.set(color, [r, g, b, a]);
      } else { // color-mix, oklab and their like: let the browser say
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        known.set(color, [r, g, b, a / 255]);
      }
    }
    return known.get(color);
  }
  const over = (top, under) =>
    [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
  function luminance([r, g, b]) {
    const [x, y, z] = [r, g, b].map(c => (c /= 255) <= 0.04045 ? c / 12.92
      : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  }
  function contrast(one, other) {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }
  const grounds = new Map();
  function ground(element) {
    if (!element) return [255, 255, 255, 1];
    if (!grounds.has(element)) {
      const color = rgba(getComputedStyle(element).backgroundColor);
      grounds.set(element, color[3] >= 1 ? color : over(color, ground(element.parentElement)));
    }
    return grounds.get(element);
  }
  function opacity(element) {
    let value = 1;
    for (; element; element = element.parentElement) value *= getComputedStyle(element).opacity;
    return value;
  }

  function pale(least) {
    const found = new Map();
    grounds.clear();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (!walker.currentNode.nodeValue.trim() || element.closest(
        "svg, script, style, noscript, mjx-assistive-mml, :disabled, .headerlink") || !visible(element))
        continue;
      const style = getComputedStyle(element), color = [...rgba(style.color)];
      color[3] *= opacity(element);
      const behind = ground(element), ratio = contrast(over(color, behind), behind);
      if (ratio < least - 0.005) {
        const key = `${element.tagName}.${element.className} ${style.color}`;
        if (!found.has(key)) found.set(key, `${ratio.toFixed(2)}: ${named(element)}`);
      }
    }
    return [...found.values()];
  }

  /* Powers, indices and minus signs that were not typeset. */
  function raw() {
    const found = [];
    const walker = document.createTreeWalker(main(), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.nodeValue, element = walker.currentNode.parentElement;
      const mark = text.match(/[\w)]\^[\w({]|(?:^|[\s(\[=,])-\d|[⁰¹²³⁴-⁹ⁿ₀-₉]/);
      if (mark && !element.closest("pre, code, kbd, svg, mjx-container, script, style, noscript"))
        found.push(`“${text.slice(Math.max(0, mark.index - 20), mark.index + 20).trim()}”`);
    }
    return found;
  }

  /* What the keyboard reaches without the page showing where it is: nothing about the element, what
     is around it or what is in it looks different, or it stays transparent. */
  const look = element => ["", "::before"].map(part => {
    const style = getComputedStyle(element, part);
    return [style.outlineStyle === "none" ? "" : style.outline, style.boxShadow, style.borderColor,
      style.backgroundColor].join();
  }).join();
  function unmarked() {
    const found = new Map();
    const stops = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    for (const element of document.querySelectorAll(stops)) {
      if (element.tabIndex < 0 || !element.checkVisibility({checkVisibilityCSS: true})) continue;
      const around = [element, element.parentElement, element.parentElement.parentElement,
        ...element.children];
      const before = around.map(look);
      element.focus({preventScroll: true, focusVisible: true});
      if (document.activeElement !== element) continue;
      const same = around.every((each, i) => look(each) === before[i]);
      const faint = opacity(element) < 0.5;
      element.blur();
      const key = `${element.tagName}.${element.className}`;
      if ((same || faint) && !found.has(key))
        found.set(key, `${faint ? "transparent" : "not marked"}: ${named(element)}`);
    }
    return [...found.values()];
  }

  window.inspectFocus = unmarked;
  window.inspectPage = leastContrast => ({
    raw: raw(),
    overflow: document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth,
    cut: cut(),
    pale: pale(leastContrast),
  });
})();
