/** The streams of both tabs that the server knows, with their counts. */

export const MOST_FOLLOWED = 100; // streams in one push: the server's limit

const sum = (list, name) => list.reduce((total, stream) => total + stream[name], 0);

export class Streams {
	#tabs = {processed: [], incoming: [], errors: []}; // Errors has those of both others
	#ids = {processed: new Set(), incoming: new Set(), errors: new Set()};

	/** Whether API keys are configured: then a token has to be one of them. */
	apiKeys = false;

	/** The names of the sources that are followed. */
	sources = [];

	/** @param streams all streams of a tab, the most recently active first */
	set(tab, streams) {
		this.#tabs[tab] = streams;
		this.#tabs.errors = [...this.#tabs.processed, ...this.#tabs.incoming];
		for (const name of [tab, "errors"]) this.#ids[name] = new Set(this.#tabs[name].map(({id}) => id));
	}

	of(tab) {
		return this.#tabs[tab];
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
