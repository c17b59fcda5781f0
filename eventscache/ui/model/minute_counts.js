/** How many events there were in each minute of an hour, by status. */

import {MINUTE} from "../lib/time.js";
import {serverStatus} from "./event.js";
import {hasTime, scope} from "./filter.js";

const MINUTES = 60;

export class MinuteCounts {
	#minutes = new Map();
	#lastCounted = new Map(); // of each stream: the number of its last event
	#scope = "";
	/** Where the hour ends, in Unix milliseconds; NaN while it ends now. */
	endsAt = NaN;

	/** Begin a view. A time filter only picks from the hour: it keeps the counts that were made without it. */
	beginView(filter, now = Date.now()) {
		if (!hasTime(filter) || this.#scope !== scope(filter)) this.reset();
		this.#scope = scope(filter);
		this.endsAt = Number.isFinite(filter.end) ? Math.max(filter.end, now) : NaN;
	}

	reset() {
		this.#minutes.clear();
		this.#lastCounted.clear();
	}

	/** Count a row once, even if it is received again: the numbers of a stream grow. */
	add(row) {
		if (!Number.isFinite(row.time) || row.seq <= (this.#lastCounted.get(row.stream) ?? 0)) return;
		this.#lastCounted.set(row.stream, row.seq);
		const minute = Math.floor(row.time / MINUTE);
		const counts = this.#minutes.get(minute) ?? {success: 0, error: 0, skip: 0};
		counts[serverStatus(row.status)] += 1;
		this.#minutes.set(minute, counts);
	}

	/** Return the minutes of the hour, oldest first. */
	hour(now = Date.now()) {
		const last = Math.floor((Number.isFinite(this.endsAt) ? this.endsAt : now) / MINUTE);
		for (const minute of this.#minutes.keys()) if (minute <= last - 2 * MINUTES) this.#minutes.delete(minute);
		return Array.from({length: MINUTES}, (_, index) => {
			const minute = last - MINUTES + 1 + index;
			return {start: minute * MINUTE, success: 0, error: 0, skip: 0, ...this.#minutes.get(minute)};
		});
	}
}
