/** Counts the errors that come while the page is hidden, in its title: the push is closed then. */

import {fetchEvents} from "../api/fetch.js";
import {serverParameters} from "../model/filter.js";

const TITLE = document.title;
const INTERVAL_MS = 15_000;
const MOST = 100; // of each stream

export class HiddenErrors {
	#timer = 0;
	#view = 0;

	begin(filter) {
		this.end();
		this.#read({...filter, status: "error", range: "", start: Date.now(), end: NaN}, this.#view);
	}

	async #read(filter, view) {
		const sources = await fetchEvents(serverParameters(filter, {limit: MOST})).catch(() => null); // the page says what is wrong when it is seen again
		if (view !== this.#view) return;
		const errors = sources?.length;
		if (errors) document.title = `(${errors < MOST ? errors : `${MOST}+`}) ${TITLE}`;
		this.#timer = setTimeout(() => this.#read(filter, view), INTERVAL_MS);
	}

	/** The page is seen: the errors are no longer new. */
	end() {
		clearTimeout(this.#timer);
		this.#view += 1;
		document.title = TITLE;
	}
}
