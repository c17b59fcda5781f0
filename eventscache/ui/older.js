/** What is cached beyond the events that the stream began with. */

import { cached } from "./api.js";
import { toast } from "./clipboard.js";
import { readEvent } from "./event.js";
import { MOST_ROWS } from "./feed.js";
import { matchesFields, narrows, serverParameters } from "./filter.js";
import { MOST_FOLLOWED } from "./known.js";

const MOST_STREAMS = 20; // with a request each

export class Older {
  #looked = new Map(); // of each stream: how many events of history were looked at, and the oldest number
  #done = new Set();
  #share = 0;

  /** Begin with so much `history` of each stream that is followed. */
  begin(history) {
    this.#looked.clear();
    this.#done.clear();
    this.#share = history;
  }

  /** An event of history was looked at, whether it is shown or a filter of fields left it out. */
  look({ stream, seq }) {
    const [count, oldest] = this.#looked.get(stream) ?? [0, seq];
    this.#looked.set(stream, [count + 1, Math.min(seq, oldest)]);
  }

  /** The events of a stream are gone. */
  forget(stream) {
    this.#looked.delete(stream);
    this.#done.add(stream);
  }

  /** Return those streams in view that may have more, the most recently active first. */
  left(filter, streams) {
    const narrowed = narrows(filter);
    return streams.filter(({ id, total_events: total }, position) => {
      if (this.#done.has(id)) return false;
      const looked = this.#looked.get(id)?.[0] ?? 0;
      const followed = filter.ids.length > 0 || position < MOST_FOLLOWED;
      // How many match is not known before the server is asked; fewer than it was asked for are all there are.
      return narrowed ? !followed || looked >= this.#share : looked < total;
    });
  }

  /**
   * Return older rows, oldest first inside a stream, or null if they cannot be read.
   * @param {number} shown how many rows there are
   * @param {object[]} streams those in view
   */
  async load(shown, filter, streams) {
    const asked = this.left(filter, streams).slice(0, MOST_STREAMS);
    const limit = Math.max(1, Math.ceil((MOST_ROWS - shown) / Math.max(1, asked.length)));
    const older = [];
    try {
      for (const { id } of asked) {
        const parameters = serverParameters({ ...filter, ids: [id] });
        if (this.#looked.has(id)) parameters.set("before", String(this.#looked.get(id)[1]));
        parameters.set("limit", String(limit));
        const sources = await cached(parameters);
        const read = sources.map((source) => readEvent(source)?.row).filter(Boolean);
        read.forEach((row) => this.look(row));
        if (sources.length < limit) this.#done.add(id);
        older.push(...read.filter(({ source }) => matchesFields(source, filter.fields)));
      }
    } catch (fault) {
      toast(`Older events could not be read: ${fault.message}`);
      return null;
    }
    return older.reverse();
  }
}
