/** Reads the streams and their counts again and again. */

import {fetchStreams} from "../api/fetch.js";
import {namespace} from "../model/filter.js";

const INTERVAL_MS = 5000;
const FEW_STREAMS = 100; // are read more often
const MANY_STREAMS = 500; // and so many less often
const SOON_MS = 800; // also while a tab is empty, as the first event may appear in the other tab

export class StreamRefresh {
	#timer = 0;
	#soon = false;
	#asked = 0;

	/**
	 * @param acts `tab` and `live` return the tab that
	 *   is shown, and whether the push is connected
	 */
	constructor(streams, acts) {
		this.streams = streams;
		this.acts = acts;
	}

	/** Read now. Raises `ApiError` if the server does not answer. */
	async refresh() {
		const asked = ++this.#asked;
		for (const tab of ["processed", "incoming"]) {
			const answer = await fetchStreams(namespace({tab}));
			if (asked !== this.#asked) return; // a later answer is newer
			this.streams.set(tab, answer.streams);
			this.streams.apiKeys = Boolean(answer.api_keys);
			this.streams.sources = answer.sources ?? [];
		}
		this.acts.refreshed();
	}

	/** Read at intervals from now on. */
	start() {
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.#readAndContinue(), this.#intervalMs());
	}

	/** Read soon, as the streams have changed. */
	soon() {
		if (this.#soon) return;
		this.#soon = true;
		setTimeout(() => {
			this.#soon = false;
			this.#readAndContinue();
		}, SOON_MS);
	}

	async #readAndContinue() {
		if (this.acts.live()) await this.refresh().catch(() => {}); // the push says what is wrong
		this.start();
	}

	#intervalMs() {
		if (!this.streams.of(this.acts.tab()).length) return SOON_MS;
		if (this.streams.count <= FEW_STREAMS) return INTERVAL_MS / 2;
		return this.streams.count > MANY_STREAMS ? 6 * INTERVAL_MS : INTERVAL_MS;
	}
}
