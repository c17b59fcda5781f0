/** Events a minute, of the last hour, by what became of them. */

import { serverStatus } from "./event.js";
import { MINUTE } from "./time.js";

export const MINUTES = 60;

export class Tally {
  #minutes = new Map();
  #newest = new Map();

  reset() {
    this.#minutes.clear();
    this.#newest.clear();
  }

  /** The numbers of a stream began anew; what was counted did come. */
  forget(stream) {
    this.#newest.delete(stream);
  }

  /** Count a row once, though it may be sent again: a stream's numbers grow. */
  add(row) {
    if (!Number.isFinite(row.time) || row.seq <= (this.#newest.get(row.stream) ?? 0)) return;
    this.#newest.set(row.stream, row.seq);
    const minute = Math.floor(row.time / MINUTE);
    const counts = this.#minutes.get(minute) ?? { success: 0, error: 0, skip: 0 };
    counts[serverStatus(row.status)] += 1;
    this.#minutes.set(minute, counts);
  }

  /** Return the hour that ends now, oldest minute first. */
  hour(now = Date.now()) {
    const last = Math.floor(now / MINUTE);
    for (const minute of this.#minutes.keys()) if (minute <= last - 2 * MINUTES) this.#minutes.delete(minute);
    return Array.from({ length: MINUTES }, (_, index) => {
      const minute = last - MINUTES + 1 + index;
      return { start: minute * MINUTE, success: 0, error: 0, skip: 0, ...this.#minutes.get(minute) };
    });
  }
}
