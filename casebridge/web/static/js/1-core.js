// What every page does with a script. Without one, all of this has a plainer way.
"use strict";
const cb = {
  base: document.body.dataset.base || "",
  get csrf() { return document.body.dataset.csrf || ""; },
  post(url, fields) {
    return fetch(url, { method: "POST", headers: { "x-csrf-token": cb.csrf }, body: new URLSearchParams(fields) });
  },
  tell(text, kind = "good") {
    const flash = document.getElementById("flash");
    const notice = document.createElement("div");
    notice.className = `notice ${kind}`;
    notice.textContent = text;
    flash.replaceChildren(notice);
    cb.fade();
  },
  fade() {
    const notice = document.querySelector("#flash .notice.good");
    if (notice) setTimeout(() => notice.remove(), 6000);
  },
};
document.documentElement.classList.add("script");

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const zoneCookie = `casebridge_zone=${encodeURIComponent(zone)}`;
if (zone && !document.cookie.split("; ").includes(zoneCookie)) {
  document.cookie = `${zoneCookie}; path=/; max-age=31536000; samesite=lax`;
}
cb.fade();

document.addEventListener("click", (event) => {
  const dismiss = event.target.closest("[data-dismiss]");
  if (dismiss) dismiss.closest(".notice").remove();
  if (event.target.closest("[data-keys]")) document.getElementById("keys").showModal();
  const toggled = event.target.closest("[data-toggle]");
  if (toggled) {
    const part = document.getElementById(toggled.dataset.toggle);
    part.hidden = !part.hidden;
    toggled.setAttribute("aria-expanded", String(!part.hidden));
    if (!part.hidden) part.querySelector("input:not([type=hidden]), textarea, select")?.focus();
  }
  for (const open of document.querySelectorAll("details.popover[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const open = event.target.closest("details.popover[open]") || document.querySelector("details.popover[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
  } else if (event.target.matches("input, textarea, select")) event.target.blur();
});
document.addEventListener("htmx:sendError", () => cb.tell("The server cannot be reached. What you wrote is kept here.", "bad"));
document.addEventListener("htmx:afterSettle", () => cb.fade());
