// A key presses what carries it as data-key: a button, a link, a summary, or it goes into a field.
// Single keys can be switched off, for people whose speech or hands would press them by accident.
import { say, word } from "./words.js";

const OFF = "desk.keys.off";
const isOn = () => localStorage.getItem(OFF) === null;

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

function mark() {
  document.documentElement.classList.toggle("no-keys", !isOn());
  document.querySelector("#keys").setAttribute("aria-pressed", String(isOn()));
}

export function startKeys() {
  mark();
  document.querySelector("#keys").addEventListener("click", () => {
    if (isOn()) localStorage.setItem(OFF, "1");
    else localStorage.removeItem(OFF);
    mark();
    say(word(isOn() ? "keys_on" : "keys_off"));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      document.activeElement.blur();
      document.querySelectorAll("#reject[open]").forEach((one) => (one.open = false));
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      document.querySelector("[data-enter]")?.click();
      event.preventDefault();
    } else if (isOn() && !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing && !event.repeat) {
      if (!isTyping(event.target) && press(event.key)) event.preventDefault();
    }
  });
}
