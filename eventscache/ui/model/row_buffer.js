/** The rows, newest first. While somebody reads, new rows are held back. */

import {grouped} from "../lib/groups.js";

/** How many rows there are at most; older ones that are loaded make it more, up to `MOST_LOADED`. */
export const MOST_ROWS = 1000;
const MOST_LOADED = 10_000;

/** Whether one row belongs above a row of another stream. Rows of the same time are ordered by stream name. */
const isAbove = (one, other) =>
	one.timeUs > other.timeUs || (one.timeUs === other.timeUs && one.stream < other.stream);

/** Merge rows of several streams, newest first. Inside a stream the order stays: `rows` has the oldest first. */
export function mergeNewestFirst(rows) {
	const streams = grouped(rows, ({stream}) => stream);
	if (streams.size < 2) return rows.toReversed();
	const rest = [...streams.values()];
	const merged = [];
	while (rest.length) {
		let newest = 0;
		for (let other = 1; other < rest.length; other += 1) {
			if (isAbove(rest[other].at(-1), rest[newest].at(-1))) newest = other;
		}
		merged.push(rest[newest].pop());
		if (!rest[newest].length) rest.splice(newest, 1);
	}
	return merged;
}

export class RowBuffer {
	rows = [];
	#waiting = [];
	/** How many rows arrived while new rows are held back; of many, only the newest are kept. */
	arrivedWhileHeld = 0;
	/** Why new rows are held back: "" (they are not), `button`, `scroll` or `open`. */
	heldBy = "";
	#keys = new Set();
	#stale = false; // the rows belong to the view before
	#most = MOST_ROWS;

	/** @param forgotten takes each row for which there is no more room */
	constructor(forgotten) {
		this.forgotten = forgotten;
	}

	/** The row of a key, if the list has it. */
	find(key) {
		return this.rows.find(row => row.key === key);
	}

	get full() {
		return this.rows.length >= this.#most;
	}

	/** Whether older rows can be added. */
	get extends() {
		return this.#most < MOST_LOADED || !this.full;
	}

	/** Begin a view: rows stay until the first new ones arrive, so that the list does not flash. */
	beginView() {
		this.#stale = true;
	}

	/** Remove the rows of the view before. */
	dropStale() {
		if (!this.#stale) return;
		this.#stale = false;
		this.#most = MOST_ROWS;
		this.rows = [];
		this.#waiting = [];
		this.arrivedWhileHeld = 0;
		this.#keys.clear();
	}

	/**
	 * Add rows, oldest first inside a stream, without those that are there already. `history` arrives stream by stream:
	 * it belongs between the rows that are there, not on top.
	 */
	add(rows, {history = false} = {}) {
		this.dropStale();
		const added = this.#unknown(rows);
		if (!added.length) return;
		if (history) {
			this.rows = this.#cut(mergeNewestFirst([...this.rows.toReversed(), ...added]));
			return;
		}
		const newest = mergeNewestFirst(added);
		if (this.heldBy && this.rows.length) {
			this.arrivedWhileHeld += added.length;
			this.#waiting = this.#cut([...newest, ...this.#waiting]);
		} else {
			this.rows = this.#cut([...newest, ...this.rows]);
		}
	}

	/** Add older rows below, oldest first inside a stream. */
	addOlder(rows) {
		const thousands = Math.ceil((this.rows.length + rows.length) / MOST_ROWS);
		this.#most = Math.max(this.#most, Math.min(MOST_LOADED, thousands * MOST_ROWS));
		this.rows = this.#cut(mergeNewestFirst([...this.#unknown(rows), ...this.rows.toReversed()]));
	}

	/** Hold new rows back. Only `release` ends a pause by the button. */
	hold(reason) {
		if (this.heldBy !== "button") this.heldBy = reason;
	}

	/** Show the rows that were held back. */
	release() {
		this.heldBy = "";
		this.rows = this.#cut([...this.#waiting, ...this.rows]);
		this.#waiting = [];
		this.arrivedWhileHeld = 0;
	}

	/** Keep only some rows; return whether any was removed. */
	prune(keeps) {
		const before = this.rows.length + this.#waiting.length;
		this.rows = this.rows.filter(keeps);
		this.#waiting = this.#waiting.filter(keeps);
		this.arrivedWhileHeld = Math.min(this.arrivedWhileHeld, this.#waiting.length);
		if (this.rows.length + this.#waiting.length === before) return false;
		this.#keys = new Set([...this.rows, ...this.#waiting].map(row => row.key));
		return true;
	}

	#unknown(rows) {
		return rows.filter(row => !this.#keys.has(row.key) && this.#keys.add(row.key));
	}

	#cut(rows) {
		for (const row of rows.slice(this.#most)) {
			this.#keys.delete(row.key);
			this.forgotten(row);
		}
		return rows.slice(0, this.#most);
	}
}
