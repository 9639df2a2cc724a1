// One spot check: how far it is, until it is over.

import { get, remove } from "./api.js";
import { idle } from "./live.js";
import { toast } from "./toast.js";
import { t } from "./words.js";

const root = document.getElementById("spot");
const path = `/api/v1/spot-checks/${encodeURIComponent(root.dataset.id)}`;
const EVERY_MS = 700;

function tell(spot) {
  const bar = root.querySelector("progress");
  if (spot.phase === "looking") bar.value = spot.progress;
  else bar.removeAttribute("value");
  const waits = spot.state === "waiting";
  const step = waits ? "waiting" : (spot.phase ?? "opening");
  root.querySelector(".told").textContent = t(`js.spot_${step}`, { n: waits ? spot.ahead : Math.round(spot.progress * 100) });
}

async function ask() {
  if (!document.hidden && !idle()) {
    try {
      const spot = await get(path);
      if (!["waiting", "running"].includes(spot.state)) return location.reload();
      tell(spot);
    } catch (refused) {
      if (refused.status === 404) return location.assign("/spot-checks");
    }
  }
  return setTimeout(ask, EVERY_MS);
}

async function end() {
  try {
    await remove(path);
    location.assign("/spot-checks");
  } catch (refused) {
    toast(t("js.failed", { why: refused.message }), { bad: true });
  }
}

if (["waiting", "running"].includes(root.dataset.state)) ask();
const button = document.getElementById("remove");
if (button) {
  button.addEventListener("click", end);
  button.disabled = false; // it comes disabled, as the buttons of forms do: pressed before this, it would do nothing
}
