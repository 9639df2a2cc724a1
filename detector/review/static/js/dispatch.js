// The dispatch board: chosen issues go out together.

import { post } from "./api.js";
import { sent, submitted } from "./forms.js";

const form = document.getElementById("dispatch-form");
const boxes = () => [...document.querySelectorAll('input[name="issue"]:checked')];

if (form) {
  const told = document.getElementById("chosen");
  const tell = () => (told.textContent = boxes().length ? `(${boxes().length})` : "");
  document.addEventListener("change", (event) => event.target.name === "issue" && tell());
  submitted(form, () => {
    const body = { issues: boxes().map((box) => ({ id: box.value, seen_version: Number(box.dataset.version) })) };
    const due = form.elements.due_at.value;
    if (form.elements.department.value) body.department = form.elements.department.value;
    if (due) body.due_at = due;
    if (form.elements.note.value) body.note = form.elements.note.value;
    sent(form, () => post("/api/v1/dispatch", body));
  });
  tell();
}
