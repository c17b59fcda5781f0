/** How many events there were over the last minutes, by status: of the time that is cached, up to an hour. */

import {MINUTE} from "../lib/time.js";
import {serverStatus} from "./event.js";
import {hasTime, scope} from "./filter.js";

export const BARS = 60;
const SLOT = 5000; // milliseconds: of the finest bars
const SPANS = [5, 15, 60].map(minutes => minutes * MINUTE);
const NONE = {success: 0, error: 0, skip: 0};

export class MinuteCounts {
	#slots = new Map();
	#lastCounted = new Map(); // of each stream: the number of its last event
	#scope = "";
	/** Where the bars end, in Unix milliseconds; NaN while they end now. */
	endsAt = NaN;

	/** Begin a view. A time filter only picks from the bars: it keeps the counts that were made without it. */
	beginView(filter, now = Date.now()) {
		if (!hasTime(filter) || this.#scope !== scope(filter)) this.reset();
		this.#scope = scope(filter);
		this.endsAt = Number.isFinite(filter.end) ? Math.max(filter.end, now) : NaN;
	}

	reset() {
		this.#slots.clear();
		this.#lastCounted.clear();
	}

	/** Count a row once, even if it is received again: the numbers of a stream grow. */
	add(row) {
		if (!Number.isFinite(row.time) || row.seq <= (this.#lastCounted.get(row.stream) ?? 0)) return;
		this.#lastCounted.set(row.stream, row.seq);
		const slot = Math.floor(row.time / SLOT);
		if (!this.#slots.has(slot)) this.#slots.set(slot, {...NONE});
		this.#slots.get(slot)[serverStatus(row.status)] += 1;
	}

	/** Return the sums of the last hour. */
	hour(now = Date.now()) {
		return this.#bars(SPANS.at(-1), now).reduce((sum, bar) => plus(sum, bar), {...NONE});
	}

	/** Return the bars, oldest first: of the shortest span that holds all that was counted. */
	bars(now = Date.now()) {
		const end = Number.isFinite(this.endsAt) ? this.endsAt : now;
		const oldest = Math.min(...this.#slots.keys()) * SLOT;
		return this.#bars(SPANS.find(span => oldest > end - span + span / BARS) ?? SPANS.at(-1), end);
	}

	#bars(span, end) {
		const width = span / BARS;
		const last = Math.floor(end / width);
		const bars = Array.from({length: BARS}, (_, index) => {
			const start = (last - BARS + 1 + index) * width;
			return {start, end: start + width, ...NONE};
		});
		for (const [slot, counts] of this.#slots) {
			const time = slot * SLOT;
			if (time <= end - 2 * SPANS.at(-1)) this.#slots.delete(slot);
			const bar = bars[Math.floor(time / width) - last + BARS - 1];
			if (bar) plus(bar, counts);
		}
		return bars;
	}
}

function plus(sum, counts) {
	for (const kind of Object.keys(NONE)) sum[kind] += counts[kind];
	return sum;
}
