/** The rows: newest first, so many at most, and held back while somebody reads. */

export const MOST_ROWS = 1000;

/** Whether one row belongs above another of another stream; the same time needs an order too, that of the names. */
const isAbove = (one, other) =>
  one.timeUs > other.timeUs || (one.timeUs === other.timeUs && one.stream < other.stream);

/** Merge what came of several streams by time, newest first; inside a stream the order is the cache's own. */
export function merged(arrived) {
  const streams = new Map();
  for (const row of arrived) {
    if (!streams.has(row.stream)) streams.set(row.stream, []);
    streams.get(row.stream).push(row);
  }
  if (streams.size < 2) return arrived.toReversed();
  const heads = [...streams.values()];
  const order = [];
  while (heads.length) {
    let newest = 0;
    for (let other = 1; other < heads.length; other += 1) {
      if (isAbove(heads[other].at(-1), heads[newest].at(-1))) newest = other;
    }
    order.push(heads[newest].pop());
    if (!heads[newest].length) heads.splice(newest, 1);
  }
  return order;
}

export class Feed {
  rows = [];
  waiting = [];
  /** How many came while held; more than wait, if it was long. */
  missed = 0;
  /** Why new rows are held back: "" (they are not), `button`, `scroll` or `open`. */
  held = "";
  #known = new Set();

  reset() {
    this.rows = [];
    this.waiting = [];
    this.missed = 0;
    this.#known.clear();
  }

  /**
   * Take what arrived, oldest first; those known already are left out. What is `history` came stream by stream: it
   * belongs between the rows that are there, not on top.
   */
  add(arrived, { history = false } = {}) {
    const fresh = arrived.filter((row) => !this.#known.has(row.key) && this.#known.add(row.key));
    if (!fresh.length) return;
    if (history) {
      this.rows = this.#cut(merged([...this.rows.toReversed(), ...fresh]));
      return;
    }
    const newest = merged(fresh);
    if (this.held && this.rows.length) {
      this.missed += fresh.length;
      this.waiting = this.#cut([...newest, ...this.waiting]);
    } else {
      this.rows = this.#cut([...newest, ...this.rows]);
    }
  }

  /** Add older rows below; they come oldest first inside a stream. */
  addOlder(older) {
    const fresh = older.filter((row) => !this.#known.has(row.key) && this.#known.add(row.key));
    this.rows = this.#cut(merged([...fresh, ...this.rows.toReversed()]));
    return fresh.length;
  }

  hold(reason) {
    if (this.held !== "button") this.held = reason;
  }

  /** Show what waited. */
  release() {
    this.held = "";
    this.rows = this.#cut([...this.waiting, ...this.rows]);
    this.waiting = [];
    this.missed = 0;
  }

  /** Leave out rows, of a stream that was cleared or before a time. */
  prune(keeps) {
    const before = this.rows.length + this.waiting.length;
    this.rows = this.rows.filter(keeps);
    this.waiting = this.waiting.filter(keeps);
    this.missed = Math.min(this.missed, this.waiting.length);
    if (this.rows.length + this.waiting.length === before) return false;
    this.#known = new Set([...this.rows, ...this.waiting].map((row) => row.key));
    return true;
  }

  #cut(rows) {
    for (const row of rows.slice(MOST_ROWS)) this.#known.delete(row.key);
    return rows.slice(0, MOST_ROWS);
  }
}
