// A page whose scripts or style did not arrive, because the server stopped, looks alive and is deaf.
// Nobody types into it: it is loaded again as soon as the server answers.
addEventListener("error", async ({ target }) => {
  if (!target.matches?.("script, link")) return;
  document.documentElement.inert = true;
  for (;;) {
    await new Promise((wait) => setTimeout(wait, 500));
    const status = document.querySelector("#status");
    if (status) status.textContent = JSON.parse(document.body.dataset.words).halved;
    if (await fetch(location.href).then((answer) => answer.ok, () => false)) return location.reload();
  }
}, true);
