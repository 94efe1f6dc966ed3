/* Arrow keys, space, a swipe or the buttons turn the slides; N shows the speaker's notes. */
(function () {
  "use strict";
  document.addEventListener("DOMContentLoaded", () => {
    const slides = [...document.querySelectorAll(".slide")], count = document.querySelector(".bar output");
    const wide = matchMedia("(min-width: 701px)");      // else the slides stand below each other
    let now = 0;
    function show(number) {
      now = Math.max(0, Math.min(slides.length - 1, number));
      slides.forEach((slide, i) => {
        slide.classList.toggle("now", i === now);
        if (wide.matches) slide.setAttribute("aria-hidden", String(i !== now));
      });
      count.textContent = `${now + 1} of ${slides.length}`;
      history.replaceState(null, "", `#${now + 1}`);
    }
    const notes = () => document.body.classList.toggle("with-notes");
    const keys = {ArrowRight: () => show(now + 1), PageDown: () => show(now + 1), " ": () => show(now + 1),
      ArrowLeft: () => show(now - 1), PageUp: () => show(now - 1), Home: () => show(0),
      End: () => show(slides.length - 1), n: notes, N: notes};
    document.addEventListener("keydown", event => {
      if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === " " && event.target.matches("button, a")) return;
      if (!wide.matches && keys[event.key] !== notes) return;   // they scroll
      keys[event.key]();
      event.preventDefault();
    });
    let from = null;
    document.addEventListener("pointerdown", event => { from = event.pointerType === "touch" ? event.clientX : null; });
    document.addEventListener("pointerup", event => {
      if (from !== null && wide.matches && Math.abs(event.clientX - from) > 50) show(now + (event.clientX < from ? 1 : -1));
      from = null;
    });
    document.querySelectorAll(".bar button").forEach(button => button.addEventListener("click", () => keys[button.dataset.key]()));
    const look = () => {
      const wanted = Number(location.hash.slice(1));
      if (wide.matches) show(Number.isInteger(wanted) && wanted > 0 ? wanted - 1 : 0);
    };
    // A phone that is turned keeps its slide: without one of them shown the wide page is empty.
    addEventListener("scroll", () => {
      if (!wide.matches) now = Math.max(0, slides.findLastIndex(
        slide => slide.getBoundingClientRect().top < innerHeight / 2));
    });
    wide.addEventListener("change", () => {
      if (wide.matches) return show(now);
      slides.forEach(slide => slide.removeAttribute("aria-hidden"));
      slides[now].scrollIntoView();
    });
    addEventListener("hashchange", look);               // a number typed into the address of an open lecture
    look();
  });
})();
