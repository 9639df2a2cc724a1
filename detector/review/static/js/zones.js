// Zones over a picture: drawn and changed by mouse and by keyboard, tried, saved.

import { get, post, put } from "./api.js";
import { h, s } from "./dom.js";
import { Polygons } from "./polygons.js";
import { toast } from "./toast.js";
import { clock, duration, pick, t } from "./words.js";

const root = document.getElementById("zones");
const camera = root.dataset.camera;
const place = `/api/v1/cameras/${encodeURIComponent(camera)}`;
const part = (id) => document.getElementById(id);
const picture = part("picture");
let seen = "";
let saved = "";
let past = [];
let shots = 0;
let told = -1; // Which zone the fields tell of.

const polygons = new Polygons(part("drawing"), {
  before: () => remember(),
  changed: () => shown(),
  chosen: () => {
    // What is still being typed belongs to the zone that was chosen before: leaving the field keeps it there.
    if (part("facts").contains(document.activeElement)) document.activeElement.blur();
    shown();
  },
  drawn: (corners) => add(corners),
});

const kindNames = Object.fromEntries([...part("zone-kind").options].map((o) => [o.value, o.textContent]));
const state = () => JSON.stringify(polygons.zones);

async function load() {
  const found = await get(`${place}/zones`);
  polygons.show(found.zones, found.resolution_wh);
  take(found);
  past = [];
  shown();
}

function take(found) {
  seen = found.seen;
  saved = state();
  part("examples").hidden = !found.example_zones;
  part("shape").hidden = !found.other_shape;
  if (found.other_shape) {
    const [width, height] = found.other_shape.found_wh;
    const words = { width, height, n: found.other_shape.recordings, all: found.other_shape.of, own: found.resolution_wh.join("×") };
    part("shape").querySelector("span").textContent = t("js.zones_shape", words);
    part("shape").dataset.size = `${width},${height}`;
  }
  shape();
}

/** The picture keeps its shape; the zones are stretched onto it, as a scan does it. */
function shape() {
  const [width, height] = picture.naturalWidth ? [picture.naturalWidth, picture.naturalHeight] : polygons.size;
  picture.parentElement.style.setProperty("--shape", width / height);
  const scale = (polygons.size[0] / polygons.size[1]) / (width / height);
  picture.parentElement.dataset.stretched = Math.abs(scale - 1) > 0.03 ? "yes" : "no";
}

async function resize(scaleZones) {
  part("faults").hidden = true;
  if (state() !== saved) {
    part("faults").textContent = t("js.zones_save_first");
    part("faults").hidden = false;
    return;
  }
  const size = part("shape").dataset.size.split(",").map(Number);
  try {
    const found = await post(`${place}/resolution`, { seen, resolution_wh: size, scale_zones: scaleZones });
    polygons.show(found.zones, found.resolution_wh);
    take(found);
    past = [];
    shown();
    toast(t("js.zones_saved", { file: root.dataset.file }));
  } catch (refused) {
    refuse(refused);
  }
}

function remember() {
  past.push(state());
  if (past.length > 100) past.shift();
}

function add(corners) {
  remember();
  let number = 1;
  while (polygons.zones.some((zone) => zone.id === `zone-${number}`)) number += 1;
  polygons.zones.push({ id: `zone-${number}`, kind: "no_parking", polygon: corners, permitted: [], limits: {} });
  polygons.choose(polygons.zones.length - 1);
  part("zone-id").focus();
}

function shown() {
  const zone = polygons.zones[polygons.at];
  part("list").replaceChildren(
    ...polygons.zones.map((one, index) =>
      h("li", {}, h(`button.${one.kind}`, { type: "button", "aria-pressed": index === polygons.at ? "true" : "false", onclick: () => polygons.choose(index) }, `${one.id} `, h("span.muted.small", {}, kindNames[one.kind] ?? one.kind))),
    ),
    ...(polygons.zones.length ? [] : [h("li.muted.small", {}, t("js.zones_none"))]),
  );
  part("facts").hidden = !zone;
  if (zone && !part("facts").contains(document.activeElement)) fill(zone);
  part("undo").disabled = past.length === 0;
  part("unsaved").textContent = state() === saved ? "" : t("js.zones_unsaved");
}

function fill(zone) {
  told = polygons.zones.indexOf(zone);
  part("zone-id").value = zone.id;
  part("zone-kind").value = zone.kind;
  part("zone-permitted").value = zone.permitted.join(", ");
  const limited = part("zone-kind").selectedOptions[0]?.dataset.limits.split(" ") ?? [];
  for (const label of part("limits").querySelectorAll(".limit")) {
    label.hidden = !limited.includes(label.dataset.violation);
    label.querySelector("input").value = zone.limits[label.dataset.violation] ?? "";
  }
}

part("facts").addEventListener("change", () => {
  const zone = polygons.zones[told];
  if (!zone) return;
  remember();
  zone.id = part("zone-id").value.trim();
  zone.kind = part("zone-kind").value;
  zone.permitted = part("zone-permitted").value.split(/[,，;；]/).map((text) => text.trim()).filter(Boolean);
  const limited = part("zone-kind").selectedOptions[0].dataset.limits.split(" ");
  zone.limits = {};
  for (const input of part("limits").querySelectorAll("input")) {
    if (limited.includes(input.name) && input.value) zone.limits[input.name] = Number(input.value);
  }
  fill(zone); // At once: later it would undo what is typed into the next field by then.
  // Not before the focus has gone where it is going: what is drawn anew could not have it.
  setTimeout(() => {
    polygons.draw();
    shown();
  });
});

part("delete").addEventListener("click", () => {
  remember();
  polygons.zones.splice(polygons.at, 1);
  polygons.choose(-1);
});
part("undo").addEventListener("click", undo);
part("add").addEventListener("click", begin);
part("save").addEventListener("click", save);
part("try").addEventListener("click", tryOut);
part("other").addEventListener("click", () => look(shots + 1));
part("camera").addEventListener("change", (event) => location.assign(`/zones/${encodeURIComponent(event.target.value)}`));
part("scale-zones").addEventListener("click", () => resize(true));
part("keep-zones").addEventListener("click", () => resize(false));
picture.addEventListener("load", shape);
picture.addEventListener("error", () => {
  picture.removeAttribute("src");
  shape();
  if (shots) look(0);
  else toast(t("js.zones_no_picture"), { bad: true });
});
document.addEventListener("keydown", (event) => {
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
  if (event.key === "n" && !event.ctrlKey) begin();
  else if (event.key === "z" && event.ctrlKey) undo();
  else return;
  event.preventDefault();
});
window.addEventListener("beforeunload", (event) => {
  if (saved && state() !== saved) event.preventDefault();
});

function begin() {
  polygons.begin();
  toast(t("js.zones_draw"));
}

function undo() {
  const before = past.pop();
  if (before === undefined) return;
  polygons.zones = JSON.parse(before);
  polygons.choose(Math.min(polygons.at, polygons.zones.length - 1));
}

function look(number) {
  shots = number;
  picture.src = `${place}/picture?number=${number}`;
}

async function save() {
  part("faults").hidden = true;
  try {
    const found = await put(`${place}/zones`, { seen, zones: polygons.zones });
    polygons.zones = found.zones;
    take(found);
    polygons.draw();
    shown();
    toast(t("js.zones_saved", { file: root.dataset.file }));
  } catch (refused) {
    refuse(refused);
  }
}

function refuse(refused) {
  if (refused.problem?.error === "changed_on_disk") {
    toast(t("js.zones_changed"), { bad: true, stay: true, action: { text: t("js.zones_reload"), run: load } });
    return;
  }
  part("faults").textContent = refused.status ? refused.message : t("js.offline");
  part("faults").hidden = false;
}

async function tryOut() {
  part("faults").hidden = true;
  try {
    tell(await post(`${place}/zones/preview`, { zones: polygons.zones }));
  } catch (refused) {
    refuse(refused);
  }
}

function tell(found) {
  const tried = part("tried");
  tried.hidden = false;
  if (!found.day) {
    tried.replaceChildren(t("js.zones_no_day"));
    return;
  }
  const line = (one) => h("li.figures.small", {}, `${clock(one.start).slice(0, 5)} – ${clock(one.end).slice(0, 5)} `, pick(one.violation_name), h("span.muted", {}, ` ${one.zone ?? ""} · ${duration(one.dwell_s)}`));
  tried.replaceChildren(
    h("p.small.muted", {}, t("js.zones_day", { day: found.day, n: found.observations }), ` · ${t("js.zones_kept", { n: found.kept.length })}`),
    h("div.tried-row", {},
      h("div", {}, h("p.appeared", {}, t("js.zones_appeared", { n: found.appeared.length })), h("ul", {}, ...found.appeared.slice(0, 12).map(line))),
      h("div", {}, h("p.vanished", {}, t("js.zones_vanished", { n: found.vanished.length })), h("ul", {}, ...found.vanished.slice(0, 12).map((one) => line(one.issue))))),
  );
  const [width, height] = polygons.size;
  const box = (name) => (one) => one.box && s("rect", { class: `tried-box ${name}`, x: one.box[0] * width, y: one.box[1] * height, width: (one.box[2] - one.box[0]) * width, height: (one.box[3] - one.box[1]) * height });
  polygons.mark([...found.appeared.map(box("appeared")), ...found.vanished.map(box("vanished"))].filter(Boolean));
}

look(0);
load().catch(refuse);
