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
	#sure = new Map(); // of each stream that has older events for sure: how it was then
	#perStream = 0;

	/** Begin a view with the last `perStream` events of each stream that is followed. */
	beginView(perStream) {
		this.#read.clear();
		this.#complete.clear();
		this.#sure.clear();
		this.#perStream = perStream;
	}

	/** An event was read. */
	add({stream, seq}) {
		const [count, oldest] = this.#read.get(stream) ?? [0, seq];
		this.#read.set(stream, [count + 1, Math.min(seq, oldest)]);
	}

	/** The list has no more room for a row, the oldest one of its stream: it can be loaded again. */
	forget({stream, seq, status}) {
		const [count, oldest] = this.#read.get(stream) ?? [0, 0];
		if (status === "gap" || !count) return;
		this.#read.set(stream, [count - 1, Math.max(oldest, seq + 1)]);
		this.setMore({id: stream, last_active: undefined}, true);
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

	/** A stream was found to have older events, or none. */
	setMore({id, last_active: active}, more) {
		if (more) this.#sure.set(id, [this.oldestOf(id), active]);
		this.#complete[more ? "delete" : "add"](id);
	}

	/** Whether a stream has older events for sure: what comes meanwhile may push these out. */
	isSure({id, total_events: total, last_active: active}, filter) {
		const [oldest, since] = this.#sure.get(id) ?? [];
		if (this.oldestOf(id) === undefined) return !narrows(filter) && total > 0;
		return oldest === this.oldestOf(id) && (since ?? active) === active;
	}

	/** In how many of some streams events were looked for. */
	looked(filter, streams) {
		const followed = filter.ids.length ? streams.length : MOST_FOLLOWED;
		return streams.filter(({id}, position) => position < followed || this.#read.has(id) || this.#complete.has(id)).length;
	}

	/** Return the streams in view that may have older events, the most recently active first. */
	streamsWithMore(filter, streams) {
		const narrowed = narrows(filter);
		return streams.filter(({id, total_events: total}, position) => {
			if (this.#complete.has(id)) return false;
			if (this.#sure.has(id)) return true;
			const read = this.#read.get(id)?.[0] ?? 0;
			const followed = filter.ids.length > 0 || position < MOST_FOLLOWED;
			// Only the server knows how many events match. If it sent fewer than it was asked for, there are no more.
			return narrowed ? !followed || read >= this.#perStream : read < total;
		});
	}
}
