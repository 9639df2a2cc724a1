// The words that the server gave this page, and how times and durations are said.

const table = JSON.parse(document.getElementById("words").textContent);
export const english = document.documentElement.lang === "en";

/** A word by its key, with {names} filled in. */
export function t(key, values = {}) {
  const text = table[key];
  if (text === undefined) throw new Error(`no such word: ${key}`);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

/** Of a pair { en, zh } the one that is read here. */
export function pick(pair) {
  return english ? pair.en || pair.zh : pair.zh || pair.en;
}

/** Seconds in words: 5 min 44 s. */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const parts = [
    [Math.floor(whole / 3600), "js.unit_h"],
    [Math.floor(whole / 60) % 60, "js.unit_min"],
    [whole % 60, "js.unit_s"],
  ].filter(([figure]) => figure > 0);
  if (!parts.length) return `0${t("js.unit_s")}`;
  return parts.map(([figure, unit]) => `${figure}${t(unit)}`).join(english ? " " : "");
}

/** Minutes and seconds for a running counter: 5:44, 1:05:44. */
export function counter(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (figure) => String(figure).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const rest = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return hours ? `${hours}:${rest}` : rest.replace(/^0(\d)/, "$1");
}

/** The server writes local times with their offset; the clock on the wall is what they say. */
export function clock(iso) {
  return iso.slice(11, 19);
}

export function day(iso) {
  return iso.slice(0, 10);
}
