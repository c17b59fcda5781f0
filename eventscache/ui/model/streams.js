/** The streams of both tabs that the server knows, with their counts. */

export const MOST_FOLLOWED = 100; // streams in one push: the server's limit

const LONGEST_PORTION = 3000; // characters, as they stand in an address

/** Return ids in portions that a request can name. */
export function portions(ids) {
	const found = [];
	let length = LONGEST_PORTION;
	for (const id of ids) {
		length += encodeURIComponent(id.toWellFormed()).length + 3;
		if (length > LONGEST_PORTION) {
			found.push([]);
			length = 0;
		}
		found.at(-1).push(id);
	}
	return found;
}

const sum = (list, name) => list.reduce((total, stream) => total + stream[name], 0);

export class Streams {
	#tabs = {processed: [], incoming: [], errors: []}; // Errors has those of both others
	#ids = {processed: new Set(), incoming: new Set(), errors: new Set()};

	#gone = {};

	/** Whether API keys are configured: then a token has to be one of them. */
	apiKeys = false;

	/** The names of the sources that are followed. */
	sources = [];

	/** @param streams all streams of a tab, the most recently active first */
	set(tab, streams) {
		const left = new Set(streams.map(({id}) => id));
		this.#gone[tab] = [...this.#ids[tab]].filter(id => !left.has(id));
		this.#tabs[tab] = streams;
		this.#tabs.errors = [...this.#tabs.processed, ...this.#tabs.incoming];
		for (const name of [tab, "errors"]) this.#ids[name] = new Set(this.#tabs[name].map(({id}) => id));
	}

	of(tab) {
		return this.#tabs[tab];
	}

	/** The ids that were there before the last reading, and are not any more. */
	gone(tab) {
		return this.#gone[tab] ?? [];
	}

	has(tab, id) {
		return this.#ids[tab].has(id);
	}

	/** How many streams there are in both tabs. */
	get count() {
		return this.#tabs.processed.length + this.#tabs.incoming.length;
	}

	/** How many events are cached in all streams of a tab. */
	totalEvents(tab) {
		return sum(this.#tabs[tab], "total_events");
	}

	/** The streams that a filter selects. */
	inView({tab, ids}) {
		return ids.length ? this.#tabs[tab].filter(({id}) => ids.includes(id)) : this.#tabs[tab];
	}

	/** How many of them the push leaves out, as there are too many. */
	notFollowed(filter) {
		return filter.ids.length || filter.tab === "errors" ? 0 : Math.max(0, this.#tabs[filter.tab].length - MOST_FOLLOWED);
	}

	/** How many events are cached in the collection that a filter reads. */
	cachedEvents(filter) {
		return sum(this.inView(filter), filter.status === "error" ? "error_events" : "total_events");
	}
}
