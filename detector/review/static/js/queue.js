// The queue page: who has what in hand is shown as it happens; what is new waits until somebody asks for it.

import { icon } from "./dom.js";
import { on } from "./live.js";
import { toast } from "./toast.js";
import { t } from "./words.js";

let news = 0;
let away = null;

const row = (id) => document.querySelector(`tr[data-issue="${CSS.escape(id)}"]`);

on("claim", ({ id, who }) => row(id)?.querySelector(".claimed").replaceChildren(icon("lock"), ` ${who}`));
on("release", ({ id }) => row(id)?.querySelector(".claimed").replaceChildren());
on("moved", ({ id }) => {
  row(id)?.classList.add("moved");
  tell();
});
on("filed", tell);

function tell() {
  news += 1;
  away?.();
  away = toast(t("js.queue_new", { n: news }), { stay: true, action: { text: "↻", run: () => location.reload() } });
}
