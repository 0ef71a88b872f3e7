// The guidelines beside the item: open at a reviewer's first visit, and then as they were left.
const OPEN = "desk.guidelines";

export function startGuidelines() {
  const [panel, button] = [document.querySelector("#guide"), document.querySelector("#guide-button")];

  function show(isOpen) {
    panel.hidden = !isOpen;
    document.body.classList.toggle("with-guide", isOpen);
    button.setAttribute("aria-expanded", String(isOpen));
    localStorage.setItem(OPEN, isOpen ? "1" : "0");
  }

  button.addEventListener("click", () => {
    show(panel.hidden);
    if (!panel.hidden) panel.focus({ preventScroll: true });
  });
  document.querySelector("#guide-close").addEventListener("click", () => {
    show(false);
    button.focus();
  });
  // On a small screen the panel covers the item: there it opens only when it is asked for.
  const left = localStorage.getItem(OPEN) ?? (document.querySelector("#editor") ? "1" : "0");
  if (left === "1" && window.matchMedia("(min-width: 821px)").matches) show(true);
}
