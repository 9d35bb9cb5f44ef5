// Keyboard: every shortcut only does what a link, button or checkbox of the page does too.
{
  const typing = (target) => target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, dialog, [contenteditable]");
  let going = 0;
  const rows = () => [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
  const current = () => document.querySelector("[data-row].current");
  const move = (step) => {
    const all = rows();
    if (!all.length) return;
    const place = all.indexOf(current());
    const next = all[Math.max(0, Math.min(all.length - 1, place < 0 ? (step > 0 ? 0 : all.length - 1) : place + step))];
    current()?.classList.remove("current");
    next.classList.add("current");
    (next.querySelector("[data-open]") || next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  };
  const press = (selector) => {
    const part = document.querySelector(selector);
    if (part) part.click();
    return Boolean(part);
  };
  const keys = {
    "/": () => { const box = document.querySelector("[data-search]"); box?.focus(); box?.select(); return Boolean(box); },
    c: () => press("[data-new]"),
    e: () => press(".current [data-edit]") || press("[data-edit]"),
    j: () => move(1),
    k: () => move(-1),
    x: () => { current()?.querySelector("[data-select]")?.click(); },
    "?": () => document.getElementById("keys").showModal(),
    "[": () => press(".current [data-back]"),
    "]": () => press(".current [data-forward]"),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === "Enter" && event.target.form) {
      event.preventDefault();
      event.target.form.requestSubmit();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (Date.now() - going < 1200) {
      going = 0;
      if (press(`[data-go="${CSS.escape(event.key)}"]`)) event.preventDefault();
      return;
    }
    if (event.key === "g") going = Date.now();
    else if (keys[event.key]) {
      keys[event.key]();
      event.preventDefault();
    }
  });
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("[data-row]");
    if (row && !row.classList.contains("current")) {
      current()?.classList.remove("current");
      row.classList.add("current");
    }
  });
}
