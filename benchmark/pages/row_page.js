"use strict";
// Every text of a row reaches the page by textContent: nothing here parses markup.
const page = JSON.parse(document.getElementById("data").textContent);
const PER_PAGE = 50;
const MOST_WORDS = 600; // of a text that is compared word by word
const form = document.getElementById("filters");
const list = document.getElementById("rows");
const pager = document.getElementById("pager");
const byId = new Map(page.rows.map((row) => [row.id, row]));
let shown = [];
let first = 0;

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function labelled(name, field, className = "") {
  return make("label", { className }, ...(className === "flag" ? [field, name] : [name, field]));
}

function buildFilters() {
  for (const facet of page.facets) {
    const counts = new Map();
    for (const row of page.rows) {
      for (const value of row.values[facet] ?? []) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    if (counts.size < 2) continue;
    const names = [...counts.keys()].sort();
    const options = names.map((name) => make("option", { value: name }, `${name} (${counts.get(name)})`));
    form.append(labelled(facet, make("select", { name: facet }, make("option", { value: "" }, "all"), ...options)));
  }
  page.flags.forEach((flag, place) => {
    form.append(labelled(flag, make("input", { type: "checkbox", name: `flag${place}` }), "flag"));
  });
  form.append(labelled("text", make("input", { type: "search", name: "text", autocomplete: "off" }), "search"));
  form.append(make("button", { type: "reset" }, "clear"));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => { location.hash.startsWith("#id=") ? setHash() : 0; filter(); });
  form.addEventListener("reset", () => setTimeout(() => { setHash(); filter(); }));
}

function setHash(text = "") {
  history.replaceState(null, "", `#${text}`);
}

function textOf(row) {
  row.searched ??= [row.id, row.title, ...row.parts.flatMap((part) => [
    part.text ?? "", part.gold ?? "", ...(part.runs ?? []).map((run) => run[1]),
    ...(part.sides ?? []).flatMap((side) => [side.text, side.read ?? "", side.reason ?? ""]),
  ])].join("\n").toLowerCase();
  return row.searched;
}

function filter() {
  const only = location.hash.startsWith("#id=") ? decodeURIComponent(location.hash.slice(4)) : "";
  if (only && byId.has(only)) {
    shown = [byId.get(only)];
  } else {
    const chosen = new FormData(form);
    const facets = page.facets.filter((facet) => chosen.get(facet));
    const flags = page.flags.map((_, place) => place).filter((place) => chosen.has(`flag${place}`));
    const words = (chosen.get("text") ?? "").toLowerCase().trim();
    shown = page.rows.filter((row) =>
      facets.every((facet) => (row.values[facet] ?? []).includes(chosen.get(facet)))
      && flags.every((place) => (row.flags ?? []).includes(place))
      && (!words || textOf(row).includes(words)));
  }
  first = 0;
  show(Boolean(only));
}

function show(open = false) {
  const until = Math.min(first + PER_PAGE, shown.length);
  list.replaceChildren(...shown.slice(first, until).map((row) => buildRow(row, open)));
  const counted = `${shown.length.toLocaleString("en")} of ${page.rows.length.toLocaleString("en")} ${page.noun}`;
  document.getElementById("count").textContent = counted;
  const turn = (name, place, usable) => make("button", {
    type: "button", disabled: !usable, onclick: () => { first = place; show(); scrollTo(0, 0); },
  }, name);
  pager.replaceChildren();
  if (shown.length > PER_PAGE) {
    pager.append(turn("previous", first - PER_PAGE, first > 0), `${first + 1} to ${until}`,
      turn("next", first + PER_PAGE, until < shown.length));
  }
}

function buildRow(row, open) {
  const marks = (row.marks ?? []).map(([who, mark]) =>
    make("span", { className: `mark ${mark}` }, `${who} ${mark === "arguments" ? "wrong arguments" : mark}`));
  const title = make("summary", {}, ...marks, make("code", {}, row.id), row.title);
  const details = make("details", {}, title);
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(buildBody(row));
  });
  details.open = open;
  return make("li", {}, details);
}

function buildBody(row) {
  const facts = page.facets.flatMap((facet) => (row.values[facet] ?? []).map((value) => `${facet}: ${value}`));
  const link = make("a", { href: `#id=${encodeURIComponent(row.id)}` }, "link to this row");
  return make("div", { className: "body" }, make("p", { className: "soft" }, `${facts.join(" · ")} · `, link),
    ...row.parts.flatMap((part) => buildPart(part, row.id)));
}

function longText(text, label) {
  return make("pre", { className: "long", tabIndex: 0, role: "region", ariaLabel: label }, text);
}

function buildPart(part, id) {
  if (part.type === "Prompt") {
    const fold = make("details", {}, make("summary", { className: "soft" }, part.label));
    fold.addEventListener("toggle", () => {
      if (fold.open && fold.childElementCount === 1) {
        fold.append(longText(page.texts[part.shared] + (part.text ?? ""), `${part.label}: ${id}`));
      }
    });
    return [fold];
  }
  if (part.type === "Text") return [make("h2", {}, part.label), make("pre", {}, part.text)];
  if (part.type === "Tokens") {
    const runs = part.runs.map(([kind, text]) => make("span", { className: kind }, text));
    return [make("h2", {}, part.label), make("pre", {}, ...runs)];
  }
  const texts = part.sides.map((side) => side.text);
  const sides = part.sides.map((side, place) => buildSide(side, part.gold, texts[1 - place]));
  return [make("h2", {}, "gold"), make("pre", {}, part.gold), make("div", { className: "sides" }, ...sides)];
}

function buildSide(side, gold, other) {
  const reason = side.reason ? [make("p", { className: side.mark }, side.reason)] : [];
  const read = side.read ? [make("h2", {}, "read as, with what the gold lacks marked"), marked(side.read, gold)] : [];
  return make("div", {}, make("h2", {}, side.label), ...reason, marked(side.text || "(nothing)", other ?? side.text), ...read);
}

function marked(text, other) {
  const lacking = findLacking(splitWords(text), splitWords(other));
  return make("pre", {}, ...lacking.map(([word, lacks]) => (lacks ? make("mark", {}, word) : word)));
}

function splitWords(text) {
  return text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
}

// The words with whether `other` lacks them, in order (longest common subsequence).
function findLacking(words, other) {
  if (words.length > MOST_WORDS || other.length > MOST_WORDS) return words.map((word) => [word, false]);
  const length = Array.from({ length: words.length + 1 }, () => new Uint16Array(other.length + 1));
  for (let i = words.length - 1; i >= 0; i -= 1) {
    for (let j = other.length - 1; j >= 0; j -= 1) {
      length[i][j] = words[i] === other[j] ? length[i + 1][j + 1] + 1 : Math.max(length[i + 1][j], length[i][j + 1]);
    }
  }
  const result = [];
  for (let i = 0, j = 0; i < words.length; i += 1) {
    while (j < other.length && words[i] !== other[j] && length[i][j + 1] >= length[i + 1][j]) j += 1;
    const shared = j < other.length && words[i] === other[j];
    result.push([words[i], !shared && Boolean(words[i].trim())]);
    if (shared) j += 1;
  }
  return result;
}

buildFilters();
addEventListener("hashchange", filter);
filter();
