// One issue on the screen: clip and stills on the left, what is known of it on the right.

import { get, post } from "./api.js";
import { h, icon } from "./dom.js";
import { Player } from "./player.js";
import { toast } from "./toast.js";
import { clock, day, duration, pick, t } from "./words.js";

/** { stage, facts, player, ready, nextStill(), dispose() } of an issue as /api/v1 gives it. */
export function sheetOf(detail) {
  const player = new Player(detail);
  const stills = stillsOf(detail, player);
  const stage = h("section.sheet", { hidden: true, "data-id": detail.id }, player.root, stills.strip, stills.large);
  const facts = h("section.facts", { hidden: true, "data-id": detail.id }, ...factsOf(detail));
  return {
    detail,
    stage,
    facts,
    player,
    ready: player.ready,
    nextStill: stills.next,
    closeStill: stills.close,
    dispose() {
      player.dispose();
      stage.remove();
      facts.remove();
    },
  };
}

function stillsOf(detail, player) {
  let at = -1;
  const large = h("figure.large-still", { hidden: true, onclick: () => close() });
  const buttons = detail.stills.map((still, index) =>
    h("button.still", { type: "button", title: t("js.larger"), onclick: () => show(index) },
      h("img", { src: still.closeup ?? still.scene, alt: `${t("js.still", { n: index + 1 })} ${clock(still.at)}`, decoding: "async" }),
      h("span.figures", {}, clock(still.at), role(index, detail.stills.length)),
    ),
  );
  function role(index, count) {
    if (index === 0) return ` ${t("js.still_first")}`;
    return index === count - 1 ? ` ${t("js.still_last")}` : "";
  }
  function show(index) {
    at = index;
    const still = detail.stills[index];
    player.seekTo(still.at);
    large.replaceChildren(
      h("img", { src: still.scene, alt: t("js.still", { n: index + 1 }) }),
      h("figcaption.figures", {}, `${t("js.still", { n: index + 1 })} · ${clock(still.at)}`),
    );
    large.hidden = false;
  }
  function close() {
    const was = !large.hidden;
    large.hidden = true;
    return was;
  }
  return {
    strip: h("div.stills", {}, ...buttons),
    large,
    close,
    next() {
      if (!detail.stills.length) return;
      if (large.hidden) show(0);
      else if (at + 1 < detail.stills.length) show(at + 1);
      else close();
    },
  };
}

function factsOf(detail) {
  return [
    h("header", {},
      h(`h1.violation.${detail.violation}`, {}, icon(detail.violation), pick(detail.violation_name)),
      h("p.muted.small.figures", {}, `№ ${detail.number} `, tag(detail)),
    ),
    h("p.place", {}, h("strong", {}, pick(detail.point_name)), h("span.muted", {}, ` ${pick(detail.category_name)} · ${detail.point}${detail.zone ? ` · ${pick(detail.zone_name)}` : ""}`)),
    h("p.figures", {}, `${day(detail.start)} `, h("strong", {}, `${clock(detail.start)} – ${clock(detail.end)}`)),
    dwell(detail),
    h("p.why", {}, pick(detail.explanation)),
    certainty(detail),
    alike(detail),
    suspects(detail),
    before(detail),
    found(detail),
    history(detail),
  ];
}

function tag(detail) {
  return h(`span.tag.${detail.state}`, {}, pick(detail.state_name));
}

function dwell(detail) {
  const open = detail.start_open || detail.end_open;
  const stood = `${open ? `${t("js.at_least")} ` : ""}${duration(detail.dwell_s)}`;
  const over = detail.dwell_s - detail.limit_s;
  const longest = Math.max(detail.dwell_s, detail.limit_s);
  return h("div.dwell", {},
    h("p", {}, `${t("js.stood")} `, h("strong.figures", {}, stood), h("span.muted", {}, ` · ${t("js.limit")} ${duration(detail.limit_s)}`)),
    h("meter", { min: 0, max: longest, value: detail.dwell_s, low: detail.limit_s, high: longest, optimum: 0, "aria-label": stood }),
    over > 0 ? h("p.small.over", {}, t("js.over", { over: duration(over) })) : null,
  );
}

function certainty(detail) {
  const percent = Math.round(detail.confidence * 100);
  return h("p.certainty.small", {}, `${t("js.certainty")} `, h("meter", { min: 0, max: 100, value: percent, low: 50, high: 80, optimum: 100, "aria-label": t("js.certainty") }), ` ${percent} %`);
}

function alike(detail) {
  if (!detail.alike.length) return null;
  return h("div.alike", {},
    h("p", {}, icon("alike"), t("js.alike", { n: detail.alike.length })),
    h("div.alike-row", {}, ...detail.alike.slice(0, 5).map((other) =>
      h("span.figures.small", {}, other.thumb ? h("img", { src: other.thumb, alt: `№ ${other.number}` }) : null, `${day(other.start).slice(5)} ${clock(other.start).slice(0, 5)}`))),
    h("p.small.muted", {}, h("kbd", {}, "Shift"), ` ${t("js.alike_hint")}`),
  );
}

/** Issues that may be about the same object: each is merged into this one, or told apart from it. */
function suspects(detail) {
  if (!detail.suspects.length) return null;
  return h("div.alike.suspects", {}, h("p", {}, t("js.suspects")), h("ul", {}, ...detail.suspects.map((other) => suspect(detail, other))));
}

function suspect(detail, other) {
  const row = h("li.small", {},
    h("span.figures", {}, `№ ${other.number} ${other.camera} ${day(other.start)} ${clock(other.start).slice(0, 5)} `), tag(other),
    button("js.one_object", `/api/v1/issues/${other.id}/merge`, { other: detail.id, seen_version: other.version }, "js.merged"),
    button("js.two_objects", `/api/v1/issues/${detail.id}/apart`, { other: other.id, seen_version: detail.version }, "js.apart"),
  );
  function button(word, path, body, done) {
    const send = () => post(path, body).then(
      () => (row.remove(), toast(t(done, { n: other.number }))),
      (refused) => toast(t("js.not_saved", { n: other.number, why: refused.message }), { bad: true }),
    );
    return h("button.button", { type: "button", onclick: send }, t(word));
  }
  return row;
}

function before(detail) {
  const rows = detail.before.map((other) =>
    h("li", {}, h("span.figures", {}, `${day(other.start)} ${clock(other.start).slice(0, 5)}`), h("span.muted", {}, ` ${duration(other.dwell_s)} `), h(`span.tag.${other.state}`, {}, pick(other.state_name))),
  );
  return h("details.before", { open: rows.length > 0 },
    h("summary", {}, t("js.before"), h("span.muted.small", {}, ` ${rows.length ? t("js.before_count", { n: detail.before_30_days }) : t("js.before_none")}`)),
    rows.length ? h("ul", {}, ...rows) : null,
  );
}

/** How the issue was found, loaded when the section is opened for the first time and again after a failure. */
function found(detail) {
  const content = h("div.found-steps", { "aria-live": "polite" });
  const section = h("details.found", {}, h("summary", {}, t("js.found")), content);
  let loaded = false;
  section.addEventListener("toggle", async () => {
    if (!section.open || loaded) return;
    loaded = true;
    content.replaceChildren(h("p.small.muted", {}, t("js.found_loading")));
    try {
      content.replaceChildren(...steps(detail, await get(`/api/v1/issues/${detail.id}/explanation`)));
      // Not scrollIntoView: it scrolls the page around the frame, too.
      const frame = section.closest(".facts-frame");
      frame.scrollTop += section.getBoundingClientRect().top - frame.getBoundingClientRect().top;
    } catch (refused) {
      loaded = false;
      content.replaceChildren(h("p.small.over", {}, t("js.failed", { why: refused.message })));
    }
  });
  return section;
}

function steps(detail, explanation) {
  return [
    h("p.small.muted.figures", {}, `${day(explanation.at)} ${clock(explanation.at)} `, h("a", { href: `/issues/${detail.id}/explanation` }, t("js.found_page"))),
    h("ol.stages.small", {}, ...explanation.steps.map(step)),
  ];
}

function step({ passed, mark, name, text }) {
  const [kind, sign] = passed === null ? ["silent", "info"] : passed ? ["passed", "check"] : ["stopped", "cross"];
  return h(`li.stage-${kind}`, {},
    h("span.stage-mark", { role: "img", title: pick(mark), "aria-label": pick(mark) }, icon(sign)),
    h("span.stage-name", {}, pick(name)),
    h("span.stage-text", {}, pick(text)),
  );
}

function history(detail) {
  if (detail.history.length < 2) return null;
  return h("details.past", {}, h("summary", {}, t("js.history")),
    h("ul", {}, ...detail.history.map((row) => h("li.small", {}, h("span.figures.muted", {}, `${day(row.at).slice(5)} ${clock(row.at).slice(0, 5)} `), `${row.who}: ${pick(row.move_name)}`, row.reason_name ? ` (${pick(row.reason_name)})` : "", row.note ? ` “${row.note}”` : ""))));
}
