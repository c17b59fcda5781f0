/** What is cached beyond the rows that the stream began with. */

import { cached } from "./api.js";
import { toast } from "./clipboard.js";
import { readEvent } from "./event.js";
import { MOST_ROWS } from "./feed.js";
import { serverParameters } from "./filter.js";

const MOST_STREAMS = 20; // with a request each

/**
 * Return older rows, oldest first inside a stream, or null if they cannot be read.
 * @param {object[]} rows those that are shown
 * @param {object[]} streams those in view
 */
export async function olderRows(rows, filter, streams) {
  const shown = new Map(); // of each stream: how many rows, and the oldest number
  for (const { stream, seq } of rows.filter((row) => row.seq)) {
    const [count, oldest] = shown.get(stream) ?? [0, seq];
    shown.set(stream, [count + 1, Math.min(seq, oldest)]);
  }
  const asked = streams
    .filter(({ id, total_events: total }) => shown.has(id) && shown.get(id)[0] < total)
    .slice(0, MOST_STREAMS);
  const limit = String(Math.ceil((MOST_ROWS - rows.length) / Math.max(1, asked.length)));
  const older = [];
  try {
    for (const { id } of asked) {
      const parameters = serverParameters({ ...filter, ids: [id] });
      parameters.set("before", String(shown.get(id)[1]));
      parameters.set("limit", limit);
      for (const source of await cached(parameters)) older.push(readEvent(source)?.row);
    }
  } catch (fault) {
    toast(`Older events could not be read: ${fault.message}`);
    return null;
  }
  return older.filter(Boolean).reverse();
}
