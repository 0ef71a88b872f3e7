// The editor: checks every field while it is typed in, and shows what changes against the draft.
import { forget, keep, kept } from "./keep.js";
import { say, word } from "./words.js";

const form = document.querySelector("#verdict");
const editor = document.querySelector("#editor");
const approve = form.querySelector("[value=approve]");
const diff = document.querySelector("#diff");

// What a correction is made of; a comment or a token changes nothing.
const isOurs = (name) => /^(\d.*|query|reply)$/.test(name);

const typed = () =>
  JSON.stringify([...new FormData(form)].filter(([name]) => isOurs(name) && !name.endsWith(".was")));
const saved = typed();
let asked = 0; // answers to older questions come too late

const isChanged = () => typed() !== saved;

async function ask(url) {
  const number = ++asked;
  try {
    const answer = await fetch(url, { method: "POST", body: new FormData(form) });
    return number === asked && answer.ok ? answer : null;
  } catch {
    say(word("gone"), true);
    return null;
  }
}

async function check() {
  const answer = await ask(form.dataset.check);
  if (answer) show(await answer.json());
}

function show({ problems, notes, changes }) {
  for (const place of form.querySelectorAll(".wrong")) {
    place.textContent = problems[place.id.slice("wrong.".length)] ?? "";
  }
  for (const place of form.querySelectorAll("[id^='note.']")) {
    place.textContent = notes[place.id.slice("note.".length)] ?? "";
  }
  mark();
  diff.parentElement.hidden = !changes.some(([sign]) => sign !== " ");
  diff.replaceChildren(...changes.map(([sign, line]) => change(sign, line)));
}

function mark() {
  for (const box of form.querySelectorAll("input:not([type=hidden]), textarea, select")) {
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
  refresh();
  await check();
}

function refresh() {
  approve.disabled = isChanged();
  approve.title = isChanged() ? word("changed") : "";
  if (isChanged()) keep(form);
  else forget(form);
}

let waiting;
form.addEventListener("input", (event) => {
  if (event.target.form !== form) return; // the note of a flag
  refresh();
  clearTimeout(waiting);
  if (isOurs(event.target.name) && !("reform" in event.target.dataset)) waiting = setTimeout(check, 120);
});
form.addEventListener("change", (event) => {
  if ("reform" in event.target.dataset) reform(event.target.name);
});

// A key of a disabled button says why it does nothing.
form.addEventListener("hotkey", (event) => {
  if (event.target === approve && approve.disabled) say(word("changed"), true);
});

// The first f goes into the editor, the next one saves what was changed there.
form.querySelector("[data-fix]").addEventListener("hotkey", (event) => {
  if (isChanged()) return;
  event.preventDefault();
  [...editor.querySelectorAll("textarea, input:not([type=hidden])")].find((box) => box.offsetParent)?.focus();
});

form.querySelector("#reject").addEventListener("toggle", ({ target }) => {
  if (target.open) target.querySelector("button").focus();
});

form.querySelector("#flag-button")?.addEventListener("click", ({ currentTarget }) => {
  const note = form.querySelector("#flagging");
  note.hidden = !note.hidden;
  currentTarget.setAttribute("aria-expanded", String(!note.hidden));
  if (!note.hidden) note.querySelector("input").focus();
});

form.addEventListener("saved", () => forget(form));
form.addEventListener("refused", ({ detail: { problems } }) => {
  for (const place of form.querySelectorAll(".wrong")) {
    place.textContent = problems[place.id.slice("wrong.".length)] ?? "";
  }
  mark();
  refresh();
  form.querySelector("[aria-invalid]")?.focus();
});

// Bring back what was typed before: the fields of its tools and decisions come from the server.
async function restore(fields) {
  const data = new FormData(form);
  for (const name of new Set([...data.keys()])) if (isOurs(name)) data.delete(name);
  for (const [name, value] of fields) if (isOurs(name)) data.append(name, value);
  const answer = await fetch(form.dataset.editor, { method: "POST", body: data });
  if (!answer.ok) return;
  editor.innerHTML = await answer.text();
  for (const [name, value] of fields) {
    if (["query", "comment"].includes(name)) form.querySelector(`[name=${name}]`).value = value;
  }
  refresh();
  say(word("restored"));
  await check();
}

const earlier = kept(form);
mark();
if (earlier) restore(earlier);
else refresh();
