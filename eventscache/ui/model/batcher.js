/** Collects rows and passes them on in batches, so that the page is drawn a few times a second at most. */

import {mergeNewestFirst, MOST_ROWS} from "./row_buffer.js";

const BATCH_MS = 250;
const HISTORY_MS = 2000; // if the history takes longer, the rows so far are passed on
const MOST_COLLECTED = 2 * MOST_ROWS; // the list could not show more

export class Batcher {
	#rows = [];
	#timer = 0;
	#begunAt = 0;
	/** Whether the history is complete. */
	ready = false;

	/**
	 * @param pass takes a batch, oldest first inside a stream
	 * @param forgotten takes each row that is not passed on, as there are too many
	 */
	constructor(pass, forgotten) {
		this.pass = pass;
		this.forgotten = forgotten;
	}

	beginView() {
		clearTimeout(this.#timer);
		this.#timer = 0;
		this.#rows = [];
		this.#begunAt = Date.now();
		this.ready = false;
	}

	add(row) {
		this.#rows.push(row);
		// History arrives stream by stream: the first rows to arrive are not the oldest.
		if (this.#rows.length > MOST_COLLECTED) {
			const newest = mergeNewestFirst(this.#rows);
			newest.splice(MOST_ROWS).forEach(this.forgotten);
			this.#rows = newest.reverse();
		}
		const late = Date.now() - this.#begunAt > HISTORY_MS;
		if (this.ready || late) this.#timer ||= setTimeout(() => this.#flush(), BATCH_MS);
	}

	/** The history is complete; return whether it was not before. */
	becomeReady() {
		const first = !this.ready;
		this.ready = true;
		this.#flush(first);
		return first;
	}

	/** The events of a stream were cleared. */
	dropStream(stream) {
		this.#rows = this.#rows.filter(row => row.stream !== stream);
	}

	#flush(history = !this.ready) {
		clearTimeout(this.#timer);
		this.#timer = 0;
		const rows = this.#rows;
		this.#rows = [];
		this.pass(rows, history);
	}
}
