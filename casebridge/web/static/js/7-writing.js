// While a text is written: people offered after an @, pictures and files pasted or dropped into it.
{
  let offers = null, box = null, asked = 0;
  const close = () => {
    offers?.remove();
    offers = null;
    box?.removeAttribute("aria-activedescendant");
    box?.removeAttribute("aria-controls");
  };
  const wordBefore = (area) => /(?:^|[^\w@./-])@([\w.-]{0,60})$/.exec(area.value.slice(0, area.selectionStart))?.[1];
  const choose = (option) => {
    const area = box, typed = wordBefore(area);
    close();
    if (typed === undefined) return;
    area.focus();
    area.setRangeText(`${option.dataset.username} `, area.selectionStart - typed.length, area.selectionStart, "end");
    area.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const mark = (option) => {
    for (const each of offers.children) each.setAttribute("aria-selected", String(each === option));
    box.setAttribute("aria-activedescendant", option.id);
  };
  const offer = (area, people) => {
    close();
    if (!people.length) return;
    box = area;
    offers = document.createElement("div");
    offers.className = "offers";
    offers.id = `${area.id}-offers`;
    offers.setAttribute("role", "listbox");
    offers.setAttribute("aria-label", "People");
    for (const [place, each] of people.entries()) {
      const option = document.createElement("div");
      option.setAttribute("role", "option");
      option.id = `${area.id}-offer-${place}`;
      option.dataset.username = each.username;
      const name = document.createElement("span");
      name.textContent = each.name;
      const username = document.createElement("span");
      username.className = "quiet";
      username.textContent = `@${each.username}`;
      option.append(name, username);
      option.addEventListener("mousedown", (event) => { event.preventDefault(); choose(option); });
      offers.append(option);
    }
    area.after(offers);
    area.setAttribute("aria-controls", offers.id);
    mark(offers.firstElementChild);
  };
  document.addEventListener("input", async (event) => {
    const area = event.target.closest("[data-editor] textarea");
    if (!area) return;
    const home = area.closest("[data-editor]");
    const owner = home.dataset.owner || area.form?.querySelector("[name=owner]")?.value || "";
    const typed = wordBefore(area), turn = ++asked;
    if (typed === undefined || !owner) return close();
    const answer = await fetch(`${home.dataset.people}?${new URLSearchParams({ q: typed, owner })}`).catch(() => null);
    if (turn !== asked || !answer?.ok || wordBefore(area) !== typed) return;
    offer(area, await answer.json());
  });
  document.addEventListener("keydown", (event) => {
    if (!offers || event.target !== box) return;
    const now = offers.querySelector("[aria-selected=true]");
    if (event.key === "ArrowDown") mark(now.nextElementSibling || offers.firstElementChild);
    else if (event.key === "ArrowUp") mark(now.previousElementSibling || offers.lastElementChild);
    else if ((event.key === "Enter" && !event.ctrlKey && !event.metaKey) || event.key === "Tab") choose(now);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  document.addEventListener("focusout", (event) => { if (event.target === box) close(); });

  const put = async (area, files) => {
    const home = area.closest("[data-editor]"), bar = home.querySelector("[data-progress]");
    for (const file of files) {
      const body = new FormData();
      body.append("csrf", cb.csrf);
      body.append("file", file, file.name);
      bar.hidden = false;
      const request = new XMLHttpRequest();
      request.upload.addEventListener("progress", (event) => { bar.value = 100 * event.loaded / event.total; });
      await new Promise((done) => {
        request.addEventListener("loadend", done);
        request.open("POST", home.dataset.files);
        request.setRequestHeader("accept", "application/json");
        request.send(body);
      });
      bar.hidden = true;
      let said = {};
      try { said = JSON.parse(request.responseText); } catch { /* a page instead of an answer: told below */ }
      if (request.status !== 200 || !said.markdown) {
        cb.tell(said.message || `${file.name} could not be uploaded.`, "bad");
        continue;
      }
      const before = area.value.slice(0, area.selectionStart);
      area.setRangeText(`${before && !/\s$/.test(before) ? "\n" : ""}${said.markdown}\n`, area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }
    area.focus();
  };
  const areaOf = (event) => event.target.closest?.("[data-editor][data-files] textarea");
  document.addEventListener("paste", (event) => {
    const area = areaOf(event), files = [...(event.clipboardData?.files || [])];
    // Office programs put a picture beside copied text: then the text is meant.
    if (!area || !files.length || event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    put(area, files);
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(kind, (event) => {
      const area = areaOf(event);
      if (!area || !event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      area.classList.toggle("over", kind === "dragover");
      if (kind === "drop") put(area, [...event.dataTransfer.files]);
    });
  }
}
