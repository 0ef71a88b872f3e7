// What is typed and not saved survives a closed window and a stopped server.
const PREFIX = "desk.typed ";
const MAX_AGE = 30 * 24 * 3600 * 1000; // milliseconds

const place = (form) => PREFIX + form.dataset.keep;

export function keep(form) {
  const fields = [...new FormData(form)].filter(([name]) => name !== "form_token");
  localStorage.setItem(place(form), JSON.stringify({ when: Date.now(), fields }));
}

export const forget = (form) => localStorage.removeItem(place(form));

export function kept(form) {
  for (const key of Object.keys(localStorage)) {
    if (!key.startsWith(PREFIX)) continue;
    if (Date.now() - JSON.parse(localStorage.getItem(key)).when > MAX_AGE) localStorage.removeItem(key);
  }
  const text = localStorage.getItem(place(form));
  return text && JSON.parse(text).fields;
}
