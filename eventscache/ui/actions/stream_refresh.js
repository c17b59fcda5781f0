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

	/** `parts` has the `filter`, the `status` of the push, and the `streams`; `refreshed` is called when they were read. */
	constructor(parts, refreshed) {
		this.parts = parts;
		this.refreshed = refreshed;
	}

	/** Read now. Raises `ApiError` if the server does not answer. */
	async refresh() {
		const {streams} = this.parts;
		const asked = ++this.#asked;
		for (const tab of ["processed", "incoming"]) {
			const answer = await fetchStreams(namespace({tab}));
			if (asked !== this.#asked) return; // a later answer is newer
			streams.set(tab, answer.streams);
			streams.apiKeys = Boolean(answer.api_keys);
			streams.sources = answer.sources ?? [];
		}
		this.refreshed();
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
		if (this.parts.status.live) await this.refresh().catch(() => {}); // the push says what is wrong
		this.start();
	}

	#intervalMs() {
		const {filter, streams} = this.parts;
		if (!streams.of(filter.tab).length) return SOON_MS;
		if (streams.count <= FEW_STREAMS) return INTERVAL_MS / 2;
		return streams.count > MANY_STREAMS ? 6 * INTERVAL_MS : INTERVAL_MS;
	}
}
