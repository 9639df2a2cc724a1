// Forms that are sent to the API: <form data-api="POST /api/v1/...">, as JSON, or as they are with data-multipart.
// Their buttons come disabled: pressed before its script has run, a form would go into the page's address instead.

import { call, upload } from "./api.js";
import { toast } from "./toast.js";
import { t } from "./words.js";

for (const form of document.querySelectorAll("form[data-api]")) submitted(form, () => send(form));

/** From now on a form's buttons may be pressed, and do this. */
export function submitted(form, run) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run();
  });
  rest(form, false);
}

function rest(form, resting) {
  for (const button of form.querySelectorAll("button")) button.disabled = resting;
}

/** Sends a form and loads the page anew; what is refused is told in the form. */
export async function send(form) {
  const [method, path] = form.dataset.api.split(" ");
  if (form.dataset.sure && !window.confirm(form.dataset.sure)) return;
  const work = "multipart" in form.dataset ? () => upload(path, new FormData(form)) : () => call(method, path, fields(form));
  await sent(form, work);
}

/** Runs the work of a form while its buttons rest; they do so until the page is loaded anew, if it is. */
export async function sent(form, work) {
  const fault = form.querySelector(".form-error");
  if (fault) fault.hidden = true;
  rest(form, true);
  try {
    const answer = await work();
    if (form.dataset.then === "stay") rest(form, false);
    else location.reload();
    return answer;
  } catch (refused) {
    const why = refused.status === 0 ? t("js.offline") : refused.message;
    if (fault) {
      fault.textContent = why;
      fault.hidden = false;
    } else toast(t("js.failed", { why }), { bad: true });
    rest(form, false);
    return undefined;
  }
}

function fields(form) {
  const body = {};
  for (const input of form.elements) {
    if (!input.name || (input.type === "checkbox" && !("flag" in input.dataset))) continue;
    if (input.type === "checkbox") body[input.name] = input.checked;
    else if ("flag" in input.dataset) body[input.name] = input.value === "true";
    else if ("number" in input.dataset) body[input.name] = Number(input.value);
    else if (input.value !== "") body[input.name] = input.value;
  }
  return body;
}
