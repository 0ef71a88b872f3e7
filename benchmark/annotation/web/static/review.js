// The editor: checks every field while it is typed in, and shows what changes against the draft.
"use strict";

const form = document.querySelector("#verdict");
const editor = document.querySelector("#editor");
const approve = form.querySelector("[value=approve]");
const diff = document.querySelector("#diff");

// What a correction is made of; a comment or a token changes nothing.
const isOurs = (name) => /^(\d.*|query|reply)$/.test(name);

const typed = () =>
  JSON.stringify([...new FormData(form)].filter(([name]) => isOurs(name)));
const saved = typed();
let asked = 0; // answers to older questions come too late
let leaving = false;

const isChanged = () => typed() !== saved;

async function ask(url) {
  const number = ++asked;
  const answer = await fetch(url, { method: "POST", body: new FormData(form) });
  return number === asked && answer.ok ? answer : null;
}

async function check() {
  const answer = await ask(form.dataset.check);
  if (answer) show(await answer.json());
}

function show({ problems, notes, changes }) {
  for (const place of form.querySelectorAll(".wrong")) {
    place.textContent = problems[place.id.slice("wrong.".length)] ?? "";
  }
  for (const place of form.querySelectorAll(".note")) {
    place.textContent = notes[place.id.slice("note.".length)] ?? "";
  }
  mark();
  diff.parentElement.hidden = !changes.some(([sign]) => sign !== " ");
  diff.replaceChildren(...changes.map(([sign, line]) => change(sign, line)));
}

function mark() {
  for (const box of form.querySelectorAll("input, textarea, select")) {
    const wrong = document.getElementById(`wrong.${box.name}`)?.textContent;
    if (wrong) box.setAttribute("aria-invalid", "true");
    else box.removeAttribute("aria-invalid");
  }
}

function change(sign, line) {
  const item = document.createElement("li");
  item.className = { "+": "new", "-": "old" }[sign] ?? "same";
  const before = document.createElement("span");
  before.className = "sign";
  before.textContent = sign;
  item.append(before, isolated(line));
  return item;
}

// What a model wrote may turn the direction of a line; it must not turn ours.
function isolated(text) {
  const bdi = document.createElement("bdi");
  bdi.textContent = text;
  return bdi;
}

async function reform(name) {
  const answer = await ask(form.dataset.editor);
  if (!answer) return;
  editor.innerHTML = await answer.text();
  editor.querySelector(`[name="${CSS.escape(name)}"]`)?.focus();
  await check();
}

function refresh() {
  approve.disabled = isChanged();
  approve.title = isChanged() ? "You changed the gold: correct it, or reload to keep the draft" : "";
}

let waiting;
form.addEventListener("input", (event) => {
  if (!isOurs(event.target.name)) return;
  refresh();
  clearTimeout(waiting);
  if (!("reform" in event.target.dataset)) waiting = setTimeout(check, 120);
});
form.addEventListener("change", (event) => {
  if ("reform" in event.target.dataset) reform(event.target.name).then(refresh);
});

// The first f goes into the editor, the next one saves what was changed there.
form.querySelector("[data-fix]").addEventListener("hotkey", (event) => {
  if (isChanged()) return;
  event.preventDefault();
  [...editor.querySelectorAll("textarea, input")].find((box) => box.offsetParent)?.focus();
});

form.querySelector("#reject").addEventListener("toggle", ({ target }) => {
  if (target.open) target.querySelector("button").focus();
});

form.addEventListener("submit", () => (leaving = true));
window.addEventListener("beforeunload", (event) => {
  if (isChanged() && !leaving) event.preventDefault();
});
mark();
