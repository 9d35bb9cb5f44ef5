// The list of cases: what is selected, and cards that are moved by hand.
{
  const count = (form) => {
    const ticks = [...form.querySelectorAll("[data-select]")];
    const chosen = ticks.filter((tick) => tick.checked).length;
    form.querySelector("[data-bulk]")?.classList.toggle("on", chosen > 0);
    const shown = form.querySelector("[data-count]");
    if (shown) shown.textContent = `${chosen} selected`;
    const all = form.querySelector("[data-select-all]");
    if (all) { all.checked = chosen > 0 && chosen === ticks.length; all.indeterminate = chosen > 0 && chosen < ticks.length; }
  };
  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-selection]");
    if (!form) return;
    if (event.target.matches("[data-select-all]")) for (const tick of form.querySelectorAll("[data-select]")) tick.checked = event.target.checked;
    count(form);
  });
  let dragged = null;
  document.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.("[data-case]") || null;
    dragged?.classList.add("dragged");
  });
  document.addEventListener("dragend", () => {
    dragged?.classList.remove("dragged");
    for (const lane of document.querySelectorAll(".lane.over")) lane.classList.remove("over");
  });
  document.addEventListener("dragover", (event) => {
    const lane = event.target.closest?.("[data-lane]");
    if (!dragged || !lane) return;
    event.preventDefault();
    for (const each of document.querySelectorAll(".lane")) each.classList.toggle("over", each === lane);
  });
  document.addEventListener("drop", (event) => {
    const lane = event.target.closest?.("[data-lane]");
    if (!dragged || !lane) return;
    event.preventDefault();
    dragged.querySelector(`button[value="${lane.dataset.lane}"]`)?.click();
  });
}
