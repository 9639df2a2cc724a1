// The clip, with box and zone drawn over it, the true time of each picture, and the dwell counted as it plays.

import { get } from "./api.js";
import { h, icon, s } from "./dom.js";
import { clock, counter, t } from "./words.js";

const SPEEDS = [1, 2, 4, 8, 16];
const WATCH_S = 6; // a clip is played in about so long, unless somebody chose a speed

export const shown = { box: true, zone: true };
let speed = null;

export class Player {
  /** `detail` is an issue as /api/v1 gives it. Nothing plays until `play()`. */
  constructor(detail) {
    this.detail = detail;
    this.frames = [];
    this.root = h("div.player");
    this.ready = detail.clip ? this.#withClip(detail.clip) : this.#withoutClip();
  }

  #withoutClip() {
    const still = this.detail.stills.at(-1);
    this.root.append(
      h("div.screen", {}, still ? h("img", { src: still.scene, alt: t("js.still", { n: 1 }) }) : h("p", {}, t("js.no_clip"))),
    );
    return Promise.resolve();
  }

  #withClip(clip) {
    this.video = h("video", {
      src: clip.plain ?? clip.drawn,
      preload: "auto",
      loop: true,
      playsinline: true,
      "aria-label": t("js.clip"),
      onclick: () => this.toggle(),
      onplay: () => this.#showPlaying(),
      onpause: () => this.#showPlaying(),
    });
    this.video.muted = true;
    this.overlay = s("svg", { class: "overlay", "aria-hidden": "true", preserveAspectRatio: "none" });
    this.boxMark = s("rect", { class: "box-mark", hidden: true });
    this.told = h("div.told.figures", {}, h("span.clock"), h("span.count"));
    const failed = h("p.clip-failed", { hidden: true }, t("js.clip_failed"));
    this.video.addEventListener("error", () => (failed.hidden = false));
    this.root.append(h("div.screen", {}, this.video, this.overlay, failed), this.#controls());
    this.video.addEventListener("loadedmetadata", () => {
      const { videoWidth, videoHeight } = this.video;
      if (videoWidth && videoHeight) this.root.style.setProperty("--shape", videoWidth / videoHeight);
    });
    const loaded = new Promise((done) => {
      this.video.addEventListener("loadeddata", done, { once: true });
      this.video.addEventListener("error", done, { once: true });
    });
    const drawn = clip.overlay ? get(clip.overlay).then((data) => this.#draw(data), () => {}) : null;
    return Promise.all([loaded, drawn]).then(() => {
      this.#setRate();
      this.#watch();
    });
  }

  #controls() {
    this.playButton = h("button.plain", { type: "button", title: t("js.play"), "aria-label": t("js.play"), onclick: () => this.toggle() }, icon("play"));
    this.seekBar = h("input.seek", {
      type: "range", min: 0, max: 1000, value: 0, step: 1, "aria-label": t("js.seek"),
      oninput: () => this.seek((this.seekBar.value / 1000) * this.length()),
    });
    this.strip = s("svg", { class: "strip", viewBox: "0 0 1000 20", preserveAspectRatio: "none", "aria-hidden": "true" });
    this.speedButton = h("button.plain.figures", { type: "button", title: t("js.speed"), onclick: () => this.faster() }, icon("speed"), h("span", {}, ""));
    this.boxButton = this.#toggleButton("box", "box", t("js.box"));
    this.zoneButton = this.#toggleButton("zone", "zones", t("js.zone"));
    return h("div.controls", {}, this.playButton, this.told, h("div.track", {}, this.strip, this.seekBar), this.speedButton, this.boxButton, this.zoneButton);
  }

  #toggleButton(what, name, label) {
    return h("button.plain", {
      type: "button", "aria-pressed": shown[what], onclick: () => this.show(what, !shown[what]),
    }, icon(name), h("span", {}, label));
  }

  #draw(data) {
    const [width, height] = data.resolution_wh;
    this.frames = data.frames;
    this.overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
    for (const zone of data.zones) {
      if (zone.id !== data.zone_id) continue;
      const corners = zone.polygon.map(([x, y]) => `${x * width},${y * height}`).join(" ");
      this.overlay.append(s("polygon", { class: "zone-mark", points: corners }));
    }
    this.boxMark.setAttribute("class", `box-mark ${data.violation}`);
    this.overlay.append(this.boxMark);
    this.size = [width, height];
    this.#drawStrip();
    this.show("box", shown.box);
    this.show("zone", shown.zone);
    this.#tell(0);
  }

  /** The strip under the seek bar: where the object stands, from where on the limit is exceeded, and the stills. */
  #drawStrip() {
    const last = Math.max(1, this.frames.length - 1);
    const x = (index) => (index / last) * 1000;
    const starts = Date.parse(this.detail.start);
    const over = starts + this.detail.limit_s * 1000;
    let from = null;
    const bar = (until, kind) => {
      if (from !== null) this.strip.append(s("rect", { x: x(from.index), y: 7, width: Math.max(2, x(until) - x(from.index)), height: 6, class: kind }));
    };
    const kindOf = (frame) => (frame.box === null ? null : Date.parse(frame.at) >= over ? "stood over" : "stood");
    this.frames.forEach((frame, index) => {
      const kind = kindOf(frame);
      if (from && from.kind === kind) return;
      if (from) bar(index, from.kind);
      from = kind ? { index, kind } : null;
    });
    if (from) bar(last, from.kind);
    for (const still of this.detail.stills) {
      this.strip.append(s("rect", { x: x(this.indexAt(still.at)) - 2, y: 3, width: 4, height: 14, class: "still-mark" }));
    }
  }

  /** The number of the picture that is nearest to a true time. */
  indexAt(iso) {
    const wanted = Date.parse(iso);
    let best = 0;
    this.frames.forEach((frame, index) => {
      if (Math.abs(Date.parse(frame.at) - wanted) < Math.abs(Date.parse(this.frames[best].at) - wanted)) best = index;
    });
    return best;
  }

  #watch() {
    const step = (_, picture) => {
      if (this.disposed) return;
      this.#tell(picture.mediaTime);
      this.video.requestVideoFrameCallback(step);
    };
    if (this.video.requestVideoFrameCallback) this.video.requestVideoFrameCallback(step);
    else this.video.addEventListener("timeupdate", () => this.#tell(this.video.currentTime));
  }

  #tell(clipS) {
    const long = this.length();
    if (long) this.seekBar.value = Math.round((clipS / long) * 1000);
    if (!this.frames.length) return;
    const index = Math.min(this.frames.length - 1, Math.max(0, Math.round(clipS / (this.frames[1]?.clip_s || 1))));
    const frame = this.frames[index];
    const [clockPart, countPart] = this.told.children;
    clockPart.textContent = clock(frame.at);
    countPart.textContent = this.#counted(frame);
    countPart.classList.toggle("over", this.#stoodAt(frame) >= this.detail.limit_s);
    this.#mark(frame.box);
    this.seekBar.setAttribute("aria-valuetext", clock(frame.at));
  }

  #stoodAt(frame) {
    const at = Math.min(Date.parse(frame.at), Date.parse(this.detail.end));
    return (at - Date.parse(this.detail.start)) / 1000;
  }

  #counted(frame) {
    const stood = this.#stoodAt(frame);
    if (stood < 0) return t("js.not_yet");
    const left = Date.parse(frame.at) > Date.parse(this.detail.end) ? ` · ${t("js.gone")}` : "";
    return `${counter(stood)} / ${counter(this.detail.limit_s)}${left}`;
  }

  #mark(box) {
    this.boxMark.toggleAttribute("hidden", box === null || !shown.box);
    if (box === null) return;
    const [width, height] = this.size;
    const [x1, y1, x2, y2] = box;
    this.boxMark.setAttribute("x", x1 * width);
    this.boxMark.setAttribute("y", y1 * height);
    this.boxMark.setAttribute("width", (x2 - x1) * width);
    this.boxMark.setAttribute("height", (y2 - y1) * height);
  }

  #showPlaying() {
    this.playButton.replaceChildren(icon(this.video.paused ? "play" : "pause"));
  }

  length() {
    return Number.isFinite(this.video?.duration) ? this.video.duration : 0;
  }

  #rate() {
    if (speed !== null) return speed;
    return SPEEDS.find((rate) => this.length() / rate <= WATCH_S) ?? SPEEDS.at(-1);
  }

  #setRate() {
    this.video.playbackRate = this.#rate();
    this.speedButton.lastChild.textContent = `${this.video.playbackRate}×`;
  }

  play() {
    if (!this.video) return;
    this.#setRate();
    this.show("box", shown.box);
    this.show("zone", shown.zone);
    this.video.play().catch(() => {});
  }

  pause() {
    this.video?.pause();
  }

  toggle() {
    if (this.video?.paused) this.video.play().catch(() => {});
    else this.pause();
  }

  seek(clipS) {
    if (!this.video) return;
    this.video.currentTime = clipS;
    this.#tell(clipS);
  }

  /** Stops, and goes so many pictures on, or back. */
  step(pictures) {
    if (!this.video) return;
    this.pause();
    const each = this.frames[1]?.clip_s ?? 0.2;
    this.seek(Math.min(this.length(), Math.max(0, this.video.currentTime + pictures * each)));
  }

  /** Stops at the picture of a true time. */
  seekTo(iso) {
    if (!this.frames.length) return;
    this.pause();
    this.seek(this.frames[this.indexAt(iso)].clip_s + 0.01);
  }

  faster() {
    if (!this.video) return;
    speed = SPEEDS[(SPEEDS.indexOf(this.video.playbackRate) + 1) % SPEEDS.length];
    this.play();
  }

  /** Box or zone, drawn or not; of every clip from now on. */
  show(what, wanted) {
    shown[what] = wanted;
    this.overlay?.classList.toggle(`no-${what}`, !wanted);
    (what === "box" ? this.boxButton : this.zoneButton)?.setAttribute("aria-pressed", wanted);
  }

  dispose() {
    this.disposed = true;
    if (!this.video) return;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load(); // gives its connection back
  }
}
