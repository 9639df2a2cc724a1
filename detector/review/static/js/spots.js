// Spot checks: a clip goes up with its progress shown, or a stretch of recordings is chosen.

import { get, post, upload } from "./api.js";
import { h } from "./dom.js";
import { sent, submitted } from "./forms.js";
import { clock, t } from "./words.js";

const clips = document.getElementById("clip-form");
const stretches = document.getElementById("recording-form");
const largest = Number(clips.dataset.largest);
const KNOWN = { no_video: "js.spot_no_video", queue_full: "js.spot_queue_full", disk_full: "js.spot_disk_full", too_large: "js.spot_too_large" };

/** Runs the work and goes to the new check; what is refused is told in words of this language where there are some. */
async function started(form, work) {
  const spot = await sent(form, () => work().catch((refused) => {
    const word = KNOWN[refused.problem?.error];
    if (word) refused.message = t(word, { size: `${Math.floor(largest / 1e9)} GB` });
    throw refused;
  }));
  if (spot) location.assign(`/spot-checks/${encodeURIComponent(spot.id)}`);
}

for (const form of [clips, stretches]) form.dataset.then = "stay";

submitted(clips, () => {
  const { camera, clip, start } = clips.elements;
  const file = clip.files[0];
  const bar = clips.querySelector("progress");
  const told = clips.querySelector(".told");
  const query = new URLSearchParams({ camera: camera.value, name: file.name, start: start.value });
  const progress = (share) => {
    bar.hidden = false;
    bar.value = share;
    told.textContent = t("js.spot_uploading", { n: Math.round(share * 100) });
  };
  started(clips, async () => {
    if (file.size > largest) throw Object.assign(new Error(), { problem: { error: "too_large" } });
    return await upload(`/api/v1/spot-checks/clips?${query}`, file, { progress });
  }).finally(() => {
    bar.hidden = true;
    told.textContent = "";
  });
});

async function listed() {
  const { camera, day, recording } = stretches.elements;
  if (!day.value) return;
  const found = await get(`/api/v1/cameras/${encodeURIComponent(camera.value)}/recordings?day=${day.value}`).catch(() => []);
  const usable = found.filter((one) => one.usable);
  recording.replaceChildren(
    h("option", { value: "" }, t(usable.length ? "js.spot_pick" : "js.spot_no_recordings")),
    ...usable.map((one) => h("option", { value: one.start, "data-end": one.end }, `${clock(one.start)} – ${clock(one.end)}  ${one.name}`)),
  );
}

for (const name of ["camera", "day"]) stretches.elements[name].addEventListener("change", listed);
stretches.elements.recording.addEventListener("change", ({ target }) => {
  const chosen = target.selectedOptions[0];
  if (!chosen.value) return;
  stretches.elements.start.value = chosen.value.slice(0, 19);
  stretches.elements.minutes.value = Math.min(240, Math.max(1, Math.round((Date.parse(chosen.dataset.end) - Date.parse(chosen.value)) / 60_000)));
});
submitted(stretches, () => {
  const { camera, start, minutes } = stretches.elements;
  started(stretches, () => post("/api/v1/spot-checks", { camera: camera.value, start: start.value, length_s: Number(minutes.value) * 60 }));
});
listed();
