/** What arrives is gathered, and handed on in batches: the page is drawn at most every so often. */

import { merged, MOST_ROWS } from "./feed.js";

const BATCH_MS = 250;
const LATE_MS = 2000; // history is handed on in part, if all of it takes that long
const MOST = 2 * MOST_ROWS; // more could not be shown anyway

export class Arrivals {
  #rows = [];
  #timer = 0;
  #begunAt = 0;
  /** Whether the history is through. */
  ready = false;

  /** @param {(rows: object[], history: boolean) => void} hand takes a batch, oldest first inside a stream */
  constructor(hand) {
    this.hand = hand;
  }

  begin() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#rows = [];
    this.#begunAt = Date.now();
    this.ready = false;
  }

  add(row) {
    this.#rows.push(row);
    // History comes stream by stream: what arrived first is not what is oldest.
    if (this.#rows.length > MOST) this.#rows = merged(this.#rows).slice(0, MOST_ROWS).reverse();
    if (this.ready || Date.now() - this.#begunAt > LATE_MS) this.#timer ||= setTimeout(() => this.#flush(), BATCH_MS);
  }

  /** The history is through; return whether that is news. */
  becomeReady() {
    const first = !this.ready;
    this.ready = true;
    this.#flush(first);
    return first;
  }

  forget(stream) {
    this.#rows = this.#rows.filter((row) => row.stream !== stream);
  }

  #flush(history = !this.ready) {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const rows = this.#rows;
    this.#rows = [];
    this.hand(rows, history);
  }
}
