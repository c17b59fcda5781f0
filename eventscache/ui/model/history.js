/** How far the cached events of each stream were read. */

import {narrows} from "./filter.js";
import {MOST_ROWS} from "./row_buffer.js";
import {MOST_FOLLOWED} from "./streams.js";

const FEWEST = 10; // events of each stream to begin a view with

/** How many events of each of so many streams to begin with, so that all of them together fill the list. */
export function historyPerStream(inView) {
	const streams = Math.min(inView, MOST_FOLLOWED) || 1;
	return Math.max(FEWEST, Math.min(MOST_ROWS, Math.floor((2 * MOST_ROWS) / streams)));
}

export class EventHistory {
	#read = new Map(); // of each stream: how many events were read, and the number of the oldest
	#complete = new Set();
	#perStream = 0;

	/** Begin a view with the last `perStream` events of each stream that is followed. */
	beginView(perStream) {
		this.#read.clear();
		this.#complete.clear();
		this.#perStream = perStream;
	}

	/** An event was read, whether the list shows it or a field filter leaves it out. */
	add({stream, seq}) {
		const [count, oldest] = this.#read.get(stream) ?? [0, seq];
		this.#read.set(stream, [count + 1, Math.min(seq, oldest)]);
	}

	/** The events of a stream are gone. */
	dropStream(stream) {
		this.#read.delete(stream);
		this.#complete.add(stream);
	}

	/** All events of a stream were read. */
	complete(stream) {
		this.#complete.add(stream);
	}

	/** The number of the oldest event of a stream that was read, or undefined. */
	oldestOf(stream) {
		return this.#read.get(stream)?.[1];
	}

	/** Return the streams in view that may have older events, the most recently active first. */
	streamsWithMore(filter, streams) {
		const narrowed = narrows(filter);
		return streams.filter(({id, total_events: total}, position) => {
			if (this.#complete.has(id)) return false;
			const read = this.#read.get(id)?.[0] ?? 0;
			const followed = filter.ids.length > 0 || position < MOST_FOLLOWED;
			// Only the server knows how many events match. If it sent fewer than it was asked for, there are no more.
			return narrowed ? !followed || read >= this.#perStream : read < total;
		});
	}
}
