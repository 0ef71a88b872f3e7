// The words of the scripts, in the language of the page.
const words = JSON.parse(document.body.dataset.words);

export const word = (name) => words[name];

export function say(line, isWrong = false) {
  const status = document.querySelector("#status");
  status.textContent = line;
  status.classList.toggle("problem", isWrong);
}
