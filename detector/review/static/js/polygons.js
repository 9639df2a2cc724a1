// Polygons on an SVG: chosen, moved, changed corner by corner, drawn anew; by mouse and by keyboard.

import { s } from "./dom.js";
import { t } from "./words.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Polygons {
  /** `tell` is { before(), changed(), chosen(), drawn(corners) }. Corners are in pixels of `size`. */
  constructor(svg, tell) {
    this.svg = svg;
    this.tell = tell;
    this.zones = [];
    this.size = [1, 1];
    this.at = -1;
    this.held = null;
    this.line = null;
    this.cross = null;
    this.marks = s("g");
    svg.addEventListener("pointerdown", (event) => this.down(event));
    svg.addEventListener("pointermove", (event) => this.move(event));
    svg.addEventListener("pointerup", () => this.up());
    svg.addEventListener("pointercancel", () => this.up());
    svg.addEventListener("dblclick", (event) => this.twice(event));
    svg.addEventListener("keydown", (event) => this.key(event));
  }

  show(zones, size) {
    this.zones = zones;
    this.size = size;
    this.svg.setAttribute("viewBox", `0 0 ${size[0]} ${size[1]}`);
    this.choose(-1);
  }

  choose(index) {
    this.at = index;
    this.draw();
    this.tell.chosen();
  }

  mark(elements) {
    this.marks.replaceChildren(...elements);
  }

  /** From now on clicks are the corners of a new polygon. */
  begin() {
    this.choose(-1);
    this.line = [];
    this.cross = [Math.round(this.size[0] / 2), Math.round(this.size[1] / 2)];
    this.svg.classList.add("drawing");
    this.svg.focus();
    this.draw();
  }

  finish(kept) {
    const corners = this.line;
    this.line = null;
    this.cross = null;
    this.svg.classList.remove("drawing");
    this.draw();
    if (kept && corners.length >= 3) this.tell.drawn(corners);
  }

  draw() {
    const focused = this.svg.querySelector(":focus")?.dataset.corner;
    const unit = this.size[0] / 960;
    const order = this.zones.map((_, index) => index).sort((a, b) => (a === this.at) - (b === this.at));
    const parts = order.flatMap((index) => {
      const zone = this.zones[index];
      const [x, y] = middle(zone.polygon);
      const chosen = index === this.at;
      return [
        s("polygon", { class: `zone ${zone.kind}${chosen ? " chosen" : ""}`, points: zone.polygon.map((c) => c.join(",")).join(" "), "data-zone": index }),
        s("text", { class: "zone-name", x, y, "text-anchor": "middle", "font-size": 15 * unit }, zone.id),
      ];
    });
    const zone = this.zones[this.at];
    if (zone) parts.push(...this.handles(zone, unit));
    if (this.line) parts.push(...this.sketch(unit));
    this.svg.replaceChildren(...parts, this.marks);
    if (focused !== undefined) this.svg.querySelector(`[data-corner="${focused}"]`)?.focus();
  }

  handles(zone, unit) {
    const corners = zone.polygon.map(([cx, cy], n) =>
      s("circle", { class: `corner ${zone.kind}`, cx, cy, r: 6 * unit, tabindex: 0, role: "button", "data-corner": n, "aria-label": t("js.zones_corner", { n: n + 1, zone: zone.id }) }));
    const between = zone.polygon.map(([x, y], n) => {
      const [nx, ny] = zone.polygon[(n + 1) % zone.polygon.length];
      return s("circle", { class: `between ${zone.kind}`, cx: (x + nx) / 2, cy: (y + ny) / 2, r: 4 * unit, "data-between": n }, s("title", {}, t("js.zones_midpoint")));
    });
    return [...between, ...corners];
  }

  sketch(unit) {
    const [x, y] = this.cross;
    return [
      s("polyline", { class: "drawn", points: [...this.line, this.cross].map((c) => c.join(",")).join(" ") }),
      ...this.line.map(([cx, cy], n) => s("circle", { class: "corner", cx, cy, r: (n ? 4 : 7) * unit, "data-first": n ? null : "yes" })),
      s("path", { class: "cross", d: `M${x - 12 * unit} ${y}h${24 * unit}M${x} ${y - 12 * unit}v${24 * unit}` }),
    ];
  }

  point(event) {
    const frame = this.svg.getBoundingClientRect();
    const at = [((event.clientX - frame.left) / frame.width) * this.size[0], ((event.clientY - frame.top) / frame.height) * this.size[1]];
    return this.inside(at);
  }

  inside([x, y]) {
    return [Math.min(this.size[0], Math.max(0, Math.round(x))), Math.min(this.size[1], Math.max(0, Math.round(y)))];
  }

  down(event) {
    if (event.button !== 0) return;
    if (this.line) {
      event.preventDefault();
      this.place(this.point(event), event.target.dataset.first);
      return;
    }
    const { zone, corner, between } = event.target.dataset;
    if (corner !== undefined) this.hold(event, { corner: Number(corner) });
    else if (between !== undefined) this.split(event, Number(between));
    else if (zone !== undefined && Number(zone) === this.at) this.hold(event, { whole: true });
    else this.choose(zone === undefined ? -1 : Number(zone));
  }

  place(corner, onFirst) {
    if (onFirst && this.line.length >= 3) {
      this.finish(true);
      return;
    }
    const last = this.line[this.line.length - 1];
    if (!last || last[0] !== corner[0] || last[1] !== corner[1]) this.line.push(corner);
    this.cross = corner;
    this.draw();
  }

  hold(event, what) {
    this.held = { ...what, from: this.point(event), corners: this.zones[this.at].polygon.map((c) => [...c]), moved: false };
    this.svg.setPointerCapture(event.pointerId);
  }

  split(event, n) {
    this.tell.before();
    this.zones[this.at].polygon.splice(n + 1, 0, this.point(event));
    this.hold(event, { corner: n + 1 });
    this.held.moved = true;
    this.draw();
    this.tell.changed();
  }

  move(event) {
    if (this.line) {
      this.cross = this.point(event);
      this.draw();
      return;
    }
    if (!this.held) return;
    const to = this.point(event);
    const [dx, dy] = [to[0] - this.held.from[0], to[1] - this.held.from[1]];
    if (!this.held.moved && !dx && !dy) return;
    if (!this.held.moved) this.tell.before();
    this.held.moved = true;
    const zone = this.zones[this.at];
    if (this.held.whole) zone.polygon = this.held.corners.map(([x, y]) => this.inside([x + dx, y + dy]));
    else zone.polygon[this.held.corner] = to;
    this.draw();
  }

  up() {
    if (this.held?.moved) this.tell.changed();
    this.held = null;
  }

  twice(event) {
    if (this.line) this.finish(true);
    else if (event.target.dataset.corner !== undefined) this.without(Number(event.target.dataset.corner));
  }

  without(n) {
    const { polygon } = this.zones[this.at];
    if (polygon.length <= 3) return;
    this.tell.before();
    polygon.splice(n, 1);
    this.draw();
    this.svg.querySelector(`[data-corner="${Math.min(n, polygon.length - 1)}"]`)?.focus();
    this.tell.changed();
  }

  key(event) {
    const step = ARROWS[event.key]?.map((way) => way * (event.shiftKey ? 10 : 1));
    if (this.line) this.keyDrawing(event, step);
    else if (document.activeElement?.dataset.corner !== undefined) this.keyCorner(event, Number(document.activeElement.dataset.corner), step);
  }

  keyDrawing(event, step) {
    if (step) this.cross = this.inside([this.cross[0] + step[0] * 5, this.cross[1] + step[1] * 5]);
    else if (event.key === " ") this.place(this.cross);
    else if (event.key === "Backspace") this.line.pop();
    else if (event.key === "Enter" || event.key === "Escape") this.finish(event.key === "Enter");
    else return;
    event.preventDefault();
    if (this.line) this.draw();
  }

  keyCorner(event, n, step) {
    const { polygon } = this.zones[this.at];
    if (event.key === "Delete" || event.key === "Backspace") this.without(n);
    else if (step || event.key === "+" || event.key === "Insert") {
      this.tell.before();
      const [x, y] = polygon[n];
      const [nx, ny] = polygon[(n + 1) % polygon.length];
      if (step) polygon[n] = this.inside([x + step[0], y + step[1]]);
      else polygon.splice(n + 1, 0, this.inside([(x + nx) / 2, (y + ny) / 2]));
      this.draw();
      if (!step) this.svg.querySelector(`[data-corner="${n + 1}"]`)?.focus();
      this.tell.changed();
    } else return;
    event.preventDefault();
  }
}

function middle(polygon) {
  const sum = polygon.reduce(([x, y], [cx, cy]) => [x + cx, y + cy], [0, 0]);
  return sum.map((part) => part / polygon.length);
}
