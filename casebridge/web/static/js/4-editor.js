// The Markdown editor: marks around what is selected, and a preview made by the server, as readers will see it.
document.addEventListener("click", async (event) => {
  const editor = event.target.closest("[data-editor]");
  if (!editor) return;
  const box = editor.querySelector("textarea");
  const mark = event.target.closest("[data-mark]")?.dataset.mark;
  if (mark) {
    const { selectionStart: start, selectionEnd: end } = box;
    const chosen = box.value.slice(start, end);
    const made = mark === "[]" ? `[${chosen || "text"}](https://)`
      : mark.endsWith(" ") ? (chosen || "").split("\n").map((line) => mark + line).join("\n")
      : `${mark}${chosen || "text"}${mark}`;
    box.focus();
    box.setRangeText(made, start, end, chosen ? "end" : "select");
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const button = event.target.closest("[data-preview]");
  if (button) {
    const pane = editor.querySelector("[data-preview-pane]");
    const shows = pane.hidden;
    if (shows) {
      const answer = await cb.post(editor.dataset.previewUrl, { text: box.value });
      pane.innerHTML = answer.ok ? await answer.text() : "<p>No preview at the moment.</p>";
    }
    pane.hidden = !shows;
    box.hidden = shows;
    button.setAttribute("aria-pressed", String(shows));
    if (!shows) box.focus();
  }
});
