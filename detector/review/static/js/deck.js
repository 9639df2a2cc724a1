// The list that is worked through, and what became of each entry. No page and no network: easy to reason about.

export class Deck {
  /** Entries are { id, number, version }. */
  constructor(entries) {
    this.entries = entries.map((entry) => ({ ...entry, done: null, skipped: false, taken: null }));
    this.at = -1;
    this.byId = new Map(this.entries.map((entry) => [entry.id, entry]));
  }

  get current() {
    return this.entries[this.at] ?? null;
  }

  get decided() {
    return this.entries.filter((entry) => entry.done === "me").length;
  }

  get skipped() {
    return this.entries.filter((entry) => entry.skipped && !entry.done).length;
  }

  /** Entries still to be decided, in whoever's hands. */
  get left() {
    return this.entries.filter((entry) => !entry.done).length;
  }

  open(entry) {
    return !entry.done && !entry.taken;
  }

  /** The numbers of the next `count` entries to decide after `from`, then those before it; skipped ones come last. */
  ahead(from, count) {
    const order = [...this.entries.keys()];
    const turned = [...order.slice(from + 1), ...order.slice(0, from + 1)];
    const fresh = turned.filter((i) => i !== from && this.open(this.entries[i]) && !this.entries[i].skipped);
    return fresh.slice(0, count);
  }

  /** The number of the neighbour in a direction, decided or not; -1 where there is none. */
  beside(step) {
    const index = this.at + step;
    return index >= 0 && index < this.entries.length ? index : -1;
  }

  unskip() {
    for (const entry of this.entries) entry.skipped = false;
  }
}
