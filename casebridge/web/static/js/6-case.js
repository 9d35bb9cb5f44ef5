// The page of a case: changes of others, quoting, files by dragging with progress.
{
  let stream = null;
  const parts = ["case-head", "description", "activity", "side"];
  const isBusy = (part) => part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")
    || part.querySelector("details.inplace[open]");

  const refresh = async () => {
    // What was just sent brings the whole case along.
    if (document.querySelector(".htmx-request")) return;
    const answer = await fetch(location.href, { headers: { "hx-request": "true" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const version = fresh.getElementById("case")?.dataset.version;
    const home = document.getElementById("case");
    if (!version || !home || document.querySelector(".htmx-request")) return;
    home.dataset.version = version;
    let kept = false;
    for (const id of parts) {
      let there = document.getElementById(id), now = fresh.getElementById(id);
      if (!there || !now) continue;
      if (id === "activity" && isBusy(there)) {
        // Somebody is writing: the timeline alone is exchanged, the text stays where it is.
        there = there.querySelector("#timeline");
        now = now.querySelector("#timeline");
      }
      if (isBusy(there)) { kept = true; continue; }
      if (there.innerHTML === now.innerHTML) continue;
      const current = there.querySelector(".current")?.id;
      there.replaceWith(now);
      if (current) document.getElementById(current)?.classList.add("current");
      window.htmx?.process(now);
    }
    if (kept) cb.tell("Somebody changed this case. What you are writing stays; both versions are shown when you save.", "warn");
    document.dispatchEvent(new CustomEvent("casebridge:fresh"));
  };
  const listen = () => {
    const home = document.getElementById("case");
    if (!home?.dataset.events || document.hidden || stream) return;
    stream = new EventSource(home.dataset.events);
    stream.addEventListener("version", (event) => {
      const home = document.getElementById("case");
      if (home && event.data !== home.dataset.version) refresh();
    });
    stream.addEventListener("gone", () => { stream.close(); cb.tell("This case was deleted.", "warn"); });
  };
  // Browsers keep few connections to one server: a page that nobody looks at holds none.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { stream?.close(); stream = null; } else listen();
  });
  listen();

  document.addEventListener("click", (event) => {
    const quoted = event.target.closest("[data-quote]");
    const box = document.querySelector("[data-composer] textarea");
    if (!quoted || !box) return;
    const lines = quoted.dataset.quote.trim().split("\n").map((line) => `> ${line}`).join("\n");
    box.value = `${box.value ? `${box.value.trimEnd()}\n\n` : ""}${lines}\n\n`;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    box.focus();
  });

  const send = async (form, files) => {
    const bar = form.querySelector("[data-progress]");
    for (const file of files) {
      const body = new FormData();
      body.append("csrf", cb.csrf);
      body.append("file", file, file.name);
      bar.hidden = false;
      await new Promise((done) => {
        const request = new XMLHttpRequest();
        request.upload.addEventListener("progress", (event) => { bar.value = 100 * event.loaded / event.total; });
        request.addEventListener("loadend", done);
        request.open("POST", form.action);
        request.send(body);
      });
    }
    location.reload();
  };
  document.addEventListener("submit", (event) => {
    const form = event.target.closest("[data-upload]");
    if (!form) return;
    event.preventDefault();
    send(form, form.querySelector("input[type=file]").files);
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      const form = event.target.closest?.("[data-upload]");
      if (!form || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      form.classList.toggle("over", kind === "dragover");
      if (kind === "drop") send(form, event.dataTransfer.files);
    });
  }
}
