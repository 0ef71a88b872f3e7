// A key presses what carries it as data-key: a button, a link, a summary, or it goes into a field.
"use strict";

const isTyping = (target) =>
  target.matches("textarea, select, input:not([type=checkbox]):not([type=radio])");

const isShown = (element) => element.offsetParent !== null;

function press(key) {
  const found = [...document.querySelectorAll(`[data-key="${CSS.escape(key)}"]`)].find(isShown);
  if (!found) return false;
  if (isTyping(found)) found.focus();
  else if (!found.dispatchEvent(new CustomEvent("hotkey", { bubbles: true, cancelable: true }))) return true;
  else found.click();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    document.activeElement.blur();
    document.querySelectorAll("details#reject[open]").forEach((one) => (one.open = false));
  } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    document.querySelector("[data-enter]")?.click();
    event.preventDefault();
  } else if (!event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing && !event.repeat) {
    if (!isTyping(event.target) && press(event.key)) event.preventDefault();
  }
});

// Nothing is sent twice by an impatient finger.
document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  document.querySelectorAll("form").forEach((form) => delete form.dataset.sent);
});

document.querySelector("h1[tabindex]")?.focus({ preventScroll: true });
