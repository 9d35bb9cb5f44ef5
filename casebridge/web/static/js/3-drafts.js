// A text being written is never lost: kept in this browser until it was saved, put back after a crash or a time-out.
{
  const prefix = `casebridge:${cb.base}:`;
  const store = (key, text) => { try { localStorage.setItem(key, text); } catch { /* full or forbidden: then not kept */ } };
  const keyOf = (box) => prefix + box.dataset.draft;
  const sentKey = `${prefix}sent`;
  const sent = () => JSON.parse(sessionStorage.getItem(sentKey) || "[]");

  const forget = (keys) => {
    for (const key of keys) localStorage.removeItem(key);
    sessionStorage.removeItem(sentKey);
  };
  const restore = (root) => {
    for (const box of root.querySelectorAll("[data-draft]")) {
      const kept = localStorage.getItem(keyOf(box));
      if (kept === null || kept === box.value) continue;
      if (box.value !== box.defaultValue) continue;
      box.value = kept;
      box.closest("[data-draft-home]")?.removeAttribute("hidden");
      box.closest("details")?.setAttribute("open", "");
      if (!box.parentElement.querySelector(".draft-note")) {
        const note = document.createElement("p");
        note.className = "draft-note xs quiet row tight";
        const drop = document.createElement("button");
        drop.type = "button";
        drop.className = "button plain small";
        drop.textContent = "Discard";
        drop.addEventListener("click", () => { forget([keyOf(box)]); box.value = box.defaultValue; note.remove(); });
        note.append("Your unsaved text was restored.", drop);
        box.after(note);
      }
    }
  };
  document.addEventListener("input", (event) => {
    const box = event.target.closest("[data-draft]");
    if (!box) return;
    if (box.value === box.defaultValue) localStorage.removeItem(keyOf(box));
    else store(keyOf(box), box.value);
  });
  document.addEventListener("submit", (event) => {
    const keys = [...event.target.querySelectorAll("[data-draft]")].map(keyOf);
    if (keys.length) sessionStorage.setItem(sentKey, JSON.stringify(keys));
  });
  document.addEventListener("reset", (event) => {
    forget([...event.target.querySelectorAll("[data-draft]")].map(keyOf));
    for (const note of event.target.querySelectorAll(".draft-note")) note.remove();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.xhr.status >= 400 || event.detail.requestConfig.verb !== "post") return;
    // The form that was sent, which may have left the page meanwhile.
    const form = event.detail.requestConfig.elt.closest("form");
    forget(form ? [...form.querySelectorAll("[data-draft]")].map(keyOf) : []);
    if (form?.isConnected && form.hasAttribute("data-reset")) form.reset();
  });
  document.addEventListener("htmx:afterSettle", (event) => restore(event.detail.elt.parentElement || document));
  // A form that was sent without htmx was saved if the next page tells so.
  if (document.querySelector("#flash .notice.good")) forget(sent());
  restore(document);
}
