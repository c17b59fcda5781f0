/** Folding: the entries of one event as one row. */

import {grouped} from "../lib/groups.js";
import {serverStatus} from "./event.js";

/** The key of the folded row that has an entry. Without an event id, an entry stays a row of its own. */
export const foldedKey = ({key, eventId}) => (eventId ? `event\n${eventId}` : key);

/**
 * A folded row looks like its `lead`, the entry that it opens: the newest error among the last entries of all
 * destinations, or else the newest entry. It stands where the newest entry stood, and has its time. A mark is the entries
 * of one destination, the last one first; the marks are in the order of the names.
 */
function join(entries) {
	const [newest] = entries;
	if (newest.status === "gap") return newest;
	const {time, timestamp, fresh} = newest;
	const marks = [...grouped(entries, ({stream}) => stream).values()];
	const [lead] = marks.find(([last]) => serverStatus(last.status) === "error") ?? entries;
	marks.sort(([one], [other]) => (one.stream < other.stream ? -1 : 1));
	return {...lead, key: foldedKey(newest), time, timestamp, fresh, lead, marks, entries};
}

export class Folding {
	#folded = new Map(); // what was folded last, by event ids

	/** Return rows folded, the newest first as these are. A row of which no entry came or left stays the same object. */
	fold(rows) {
		const events = grouped(rows, row => row.eventId || row);
		for (const [event, entries] of events) {
			const before = this.#folded.get(event);
			const same = before?.entries?.length === entries.length && entries.every((entry, at) => entry === before.entries[at]);
			events.set(event, same ? before : join(entries));
		}
		this.#folded = events;
		return [...events.values()];
	}
}
