// Forms are sent in place. If the server says no, or is gone, the page and what was typed stay.
import { say, word } from "./words.js";

const address = (form) => form.getAttribute("action") || location.href;

async function send(form, button) {
  const options = { method: "POST", body: new FormData(form, button), headers: { Accept: "application/json" } };
  let answer, reply;
  try {
    answer = await fetch(address(form), options);
    reply = await answer.json();
  } catch {
    return say(word("gone"), true);
  }
  if (answer.ok) {
    form.dispatchEvent(new CustomEvent("saved", { bubbles: true }));
    location.assign(reply.to);
    return new Promise(() => {}); // the next page comes; nothing may be sent from this one
  }
  say(reply.error, true);
  form.dispatchEvent(new CustomEvent("refused", { detail: reply }));
}

export function startSending() {
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.method === "get") return;
    event.preventDefault();
    if (form.dataset.sent) return; // nothing is sent twice by an impatient finger
    form.dataset.sent = "1";
    await send(form, event.submitter);
    delete form.dataset.sent;
  });
  window.addEventListener("pageshow", () => {
    document.querySelectorAll("form").forEach((form) => delete form.dataset.sent);
  });
}
