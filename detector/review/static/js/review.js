// The review page: one issue after the other, each decided by one key.

import { get, post, Refused } from "./api.js";
import { Deck } from "./deck.js";
import { h } from "./dom.js";
import { idle, on } from "./live.js";
import { movedAlready, Saver } from "./saver.js";
import { sheetOf } from "./sheet.js";
import { toast } from "./toast.js";
import { shown } from "./player.js";
import { t } from "./words.js";

const AHEAD = 2; // so many issues are loaded before they are wanted
const LEASE_S = 120;
const TARGETS = { confirm: "confirmed", reject: "rejected" };

const page = document.getElementById("review");
const me = page.dataset.me;
const stage = document.getElementById("stage");
const facts = document.getElementById("facts");
const note = document.getElementById("note");
const noteForm = document.getElementById("note-form");
const mayDecide = page.dataset.mayDecide === "yes";

const sheets = new Map(); // id to a sheet, shown or ahead of its time
const undoable = [];
const began = performance.now();
let deck = new Deck([]);
let shownSheet = null;
let turn = 0;

const saver = new Saver({
  offline: () => toast(t("js.offline"), { bad: true }),
  online: () => toast(t("js.online")),
  signedOut: () => toast(t("js.signed_out"), { bad: true, stay: true }),
});

// The list

async function begin() {
  const answer = page.dataset.deck ? await get(page.dataset.deck) : { issues: [{ id: page.dataset.first }], claims: {} };
  deck = new Deck(answer.issues);
  for (const entry of deck.entries) {
    const holder = answer.claims[entry.id];
    if (holder && holder !== me) entry.taken = holder;
  }
  const wanted = deck.entries.findIndex((entry) => entry.id === page.dataset.first);
  const [first = -1] = deck.ahead(-1, 1);
  if (wanted >= 0) await show(wanted);
  else if (first >= 0) await show(first);
  else finish();
}

function sheet(entry) {
  if (!sheets.has(entry.id)) {
    const coming = get(`/api/v1/issues/${entry.id}`).then((detail) => {
      const made = sheetOf(detail);
      Object.assign(entry, { version: detail.version, number: detail.number });
      stage.append(made.stage);
      facts.append(made.facts);
      return made;
    });
    coming.catch(() => sheets.delete(entry.id));
    sheets.set(entry.id, coming);
  }
  return sheets.get(entry.id);
}

async function show(index) {
  const mine = (turn += 1);
  deck.at = index;
  const entry = deck.current;
  closeNote();
  page.classList.remove("finished");
  progress();
  let next;
  try {
    next = await sheet(entry);
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    entry.done = "other";
    toast(t("js.failed", { why: refused.message }), { bad: true });
    return mine === turn ? advance() : undefined;
  }
  if (mine !== turn) return;
  if (!entry.done && mayDecide && next.detail.state !== "flagged") {
    entry.done = "other"; // somebody decided it after the list was made
    return advance();
  }
  if (shownSheet && shownSheet !== next) {
    shownSheet.player.pause();
    shownSheet.stage.hidden = shownSheet.facts.hidden = true;
  }
  shownSheet = next;
  next.stage.hidden = next.facts.hidden = false;
  next.player.play();
  facts.scrollTop = 0;
  page.dataset.shown = entry.id;
  page.dataset.shownAt = String(performance.now());
  document.title = `№ ${entry.number} · ${page.dataset.title}`;
  claim(entry);
  forget(entry);
  for (const coming of deck.ahead(index, AHEAD)) {
    sheet(deck.entries[coming]).catch(() => {});
  }
  const [after] = deck.ahead(index, 1);
  if (after !== undefined) claim(deck.entries[after]);
}

/** Lets go of sheets that are neither shown, nor near. */
function forget(entry) {
  const near = new Set([entry, deck.entries[deck.beside(-1)], ...deck.ahead(deck.at, AHEAD).map((i) => deck.entries[i])].map((e) => e?.id));
  for (const [id, coming] of sheets) {
    if (near.has(id)) continue;
    sheets.delete(id);
    coming.then((old) => old.dispose(), () => {});
  }
}

function advance() {
  const [next] = deck.ahead(deck.at, 1);
  if (next === undefined) return finish();
  return show(next);
}

function finish() {
  turn += 1;
  if (shownSheet) {
    shownSheet.player.pause();
    shownSheet.stage.hidden = shownSheet.facts.hidden = true;
    shownSheet = null;
  }
  delete page.dataset.shown;
  deck.at = -1;
  const { skipped } = deck;
  // A list that was empty from the start says what that means, and not that anything was reviewed.
  const told = deck.entries.length
    ? [h("h1", {}, t("js.done_title")), h("p", {}, t("js.done_text", { n: deck.decided }))]
    : [document.getElementById("none-waits").content.cloneNode(true)];
  document.getElementById("done").replaceChildren(
    ...told,
    ...(skipped ? [h("button.main", { type: "button", onclick: () => (deck.unskip(), advance()) }, t("js.done_skipped", { n: skipped }))] : []),
    h("a.button", { href: "/queue" }, t("js.to_queue")),
  );
  page.classList.add("finished");
  progress();
}

function progress() {
  const all = deck.entries.length;
  const settled = all - deck.left;
  document.getElementById("progress").max = Math.max(1, all);
  document.getElementById("progress").value = settled;
  document.getElementById("where").textContent = deck.at >= 0 ? t("js.of", { at: deck.at + 1, all }) : t("js.of", { at: settled, all });
  const { decided } = deck;
  const pace = decided ? (performance.now() - began) / 1000 / decided : 0;
  document.getElementById("pace").textContent = decided
    ? `${t("js.decided", { n: decided })} · ${t("js.pace", { s: pace.toFixed(1) })} · ${t("js.left", { n: deck.left })}`
    : t("js.left", { n: deck.left });
}

// Claims

async function claim(entry) {
  if (!mayDecide || entry.done || entry.taken) return;
  try {
    await post(`/api/v1/issues/${entry.id}/claim`, { lease_s: LEASE_S });
  } catch (refused) {
    if (refused.status === 409 && refused.problem.who) taken(entry, refused.problem.who);
  }
}

function taken(entry, who) {
  if (entry.done || entry.taken === who) return;
  entry.taken = who;
  if (entry === deck.current) {
    toast(t("js.taken", { who, n: entry.number }));
    advance();
  }
  progress();
}

setInterval(() => deck.current && !idle() && claim(deck.current), (LEASE_S * 1000) / 2);

addEventListener("pagehide", () => {
  const held = [deck.current, deck.entries[deck.ahead(deck.at, 1)[0]]];
  for (const entry of held) {
    if (mayDecide && entry && !entry.done && !entry.taken) post(`/api/v1/issues/${entry.id}/release`, {}, { keepalive: true }).catch(() => {});
  }
});

on("claim", ({ id, who }) => {
  const entry = deck.byId.get(id);
  if (entry && who !== me) taken(entry, who);
});
on("release", ({ id }) => {
  const entry = deck.byId.get(id);
  if (entry) entry.taken = null;
});
on("moved", ({ id, state, who, version }) => {
  const entry = deck.byId.get(id);
  if (!entry || who === me || version <= entry.version) return;
  entry.version = version;
  entry.taken = null;
  entry.done = state === "flagged" ? null : "other";
  if (entry.done && entry === deck.current) {
    toast(t("js.moved_by_other", { who, n: entry.number }));
    advance();
  }
  progress();
});

// Decisions

function decide(move, reason = null, text = null, everyAlike = false) {
  const entry = deck.current;
  if (!entry || !shownSheet || entry.done || !mayDecide) return;
  const alike = everyAlike ? shownSheet.detail.alike : [];
  const batch = [{ id: entry.id, number: entry.number, version: entry.version }, ...alike];
  for (const { id } of batch) mark(id, "me");
  const step = { move, batch };
  undoable.push(step);
  step.saved = save(move, reason, text, batch).then(
    (versions) => {
      step.versions = versions;
      for (const [id, version] of Object.entries(versions)) {
        if (deck.byId.has(id)) deck.byId.get(id).version = version;
      }
    },
    (refused) => failed(step, refused),
  );
  say(move, reason, batch);
  advance();
}

function mark(id, done) {
  const entry = deck.byId.get(id);
  if (entry) entry.done = done;
}

function say(move, reason, batch) {
  const n = batch[0].number;
  const why = reason ? document.querySelector(`[data-reason="${reason}"] .reason-name`).textContent : "";
  const text = batch.length > 1 ? t("js.alike_done", { n: batch.length }) : move === "confirm" ? t("js.confirmed", { n }) : t("js.rejected", { n, why });
  toast(text, { action: { text: t("js.undo"), run: undo } });
}

/** Resolves to the issues' versions after the move, by id. */
async function save(move, reason, text, batch) {
  if (batch.length === 1) {
    const [{ id, version }] = batch;
    const moved = await saver.post(
      `/api/v1/issues/${id}/moves`,
      { move, reason, note: text, seen_version: version },
      () => movedAlready(id, TARGETS[move], version),
    );
    return { [id]: moved.version };
  }
  const issues = batch.map(({ id, version }) => ({ id, seen_version: version }));
  const answer = await saver.post("/api/v1/moves", { move, reason, note: text, issues });
  for (const refused of answer.refused) {
    mark(refused.id, null);
    toast(t("js.not_saved", { n: numberOf(batch, refused.id), why: refused.detail }), { bad: true });
  }
  return Object.fromEntries(answer.moved.map((issue) => [issue.id, issue.version]));
}

function numberOf(batch, id) {
  return batch.find((one) => one.id === id)?.number ?? id;
}

function failed(step, refused) {
  undoable.splice(undoable.indexOf(step), 1);
  for (const { id, number } of step.batch) {
    const stale = refused.status === 409;
    mark(id, stale && refused.problem.error !== "claimed" ? "other" : null);
    const entry = deck.byId.get(id);
    if (entry && refused.problem.error === "claimed") entry.taken = refused.problem.who;
    sheets.get(id)?.then((old) => old !== shownSheet && (sheets.delete(id), old.dispose()));
    toast(t("js.not_saved", { n: number, why: refused.message }), { bad: true });
  }
  progress();
}

async function undo() {
  const step = undoable.pop();
  if (!step) return toast(t("js.undo_nothing"));
  await step.saved;
  if (!step.versions) return;
  for (const { id, number } of step.batch) {
    if (!(id in step.versions)) continue;
    try {
      const issue = await saver.post(`/api/v1/issues/${id}/undo`, { seen_version: step.versions[id] });
      const entry = deck.byId.get(id);
      if (entry) Object.assign(entry, { done: null, version: issue.version });
      const old = await sheets.get(id);
      if (old) (sheets.delete(id), old.dispose(), old === shownSheet && (shownSheet = null));
      toast(t("js.undone", { n: number }));
    } catch (refused) {
      toast(t("js.failed", { why: refused.message }), { bad: true });
    }
  }
  const index = deck.entries.findIndex((entry) => entry.id === step.batch[0].id);
  if (index >= 0) await show(index);
}

function skip() {
  const entry = deck.current;
  if (!entry) return;
  entry.skipped = true;
  if (mayDecide) post(`/api/v1/issues/${entry.id}/release`).catch(() => {});
  toast(t("js.skipped", { n: entry.number }));
  advance();
}

function go(step) {
  const index = deck.beside(step);
  if (index >= 0) show(index);
}

// "Other" wants a note

function openNote(all) {
  noteForm.hidden = false;
  noteForm.dataset.all = all ? "yes" : "";
  note.value = "";
  note.focus();
}

function closeNote() {
  if (noteForm.hidden) return;
  noteForm.hidden = true;
  note.blur();
}

noteForm.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = note.value.trim();
  if (text) decide("reject", "other", text, noteForm.dataset.all === "yes");
});

function reject(reason, all) {
  if (reason === "other") openNote(all);
  else decide("reject", reason, null, all);
}

// Keys and buttons

const help = document.getElementById("help");
const reasons = [...document.querySelectorAll("[data-reason]")].map((button) => button.dataset.reason);
const player = () => shownSheet?.player;

const KEYS = {
  Enter: (event) => decide("confirm", null, null, event.shiftKey),
  KeyC: (event) => decide("confirm", null, null, event.shiftKey),
  KeyS: skip,
  KeyU: undo,
  Backspace: undo,
  KeyJ: () => go(1),
  ArrowRight: () => go(1),
  KeyK: () => go(-1),
  ArrowLeft: () => go(-1),
  Space: () => player()?.toggle(),
  Comma: () => player()?.step(-1),
  Period: () => player()?.step(1),
  KeyF: () => player()?.faster(),
  KeyB: () => {
    const wanted = !(shown.box && shown.zone);
    player()?.show("box", wanted);
    player()?.show("zone", wanted);
  },
  KeyV: () => shownSheet?.nextStill(),
  Slash: () => help.showModal(),
  KeyH: () => help.showModal(),
};

addEventListener("keydown", (event) => {
  if (event.key === "Escape") return void (shownSheet?.closeStill(), closeNote());
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || help.open) return;
  if (event.target.closest("input:not([type=range]), textarea, select, a")) return;
  if (event.target.closest("button, summary, input") && ["Enter", "Space"].includes(event.code)) return;
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1];
  const reason = digit && reasons[digit - 1];
  const act = reason ? () => reject(reason, event.shiftKey) : KEYS[event.code];
  if (!act || (event.repeat && !["Comma", "Period"].includes(event.code))) return;
  event.preventDefault();
  act(event);
});

const ACTIONS = {
  confirm: (event) => decide("confirm", null, null, event.shiftKey),
  skip,
  undo,
  next: () => go(1),
  previous: () => go(-1),
  help: () => help.showModal(),
  "close-help": () => help.close(),
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action], [data-reason]");
  if (!button) return;
  if (button.dataset.reason) reject(button.dataset.reason, event.shiftKey);
  else ACTIONS[button.dataset.action](event);
  if (event.detail) button.blur(); // by mouse: the next Enter is a decision again, not this button
});

begin().catch((refused) => toast(t("js.failed", { why: refused.message }), { bad: true, stay: true }));
