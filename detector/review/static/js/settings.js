// Settings: only what was changed is sent, with the text of the file that it was changed in.

import { put } from "./api.js";
import { sent, submitted } from "./forms.js";

for (const form of document.querySelectorAll("form[data-file]")) {
  submitted(form, () => {
    const values = {};
    for (const input of form.elements) {
      if (!input.name) continue;
      const now = input.type === "checkbox" ? String(input.checked) : input.value;
      if (now === input.dataset.was) continue;
      values[input.name] = input.type === "checkbox" ? input.checked : input.type === "number" ? Number(now) : now;
    }
    if (!Object.keys(values).length) return;
    sent(form, () => put(`/api/v1/settings/${form.dataset.file}`, { seen: form.dataset.seen, values }));
  });
}
