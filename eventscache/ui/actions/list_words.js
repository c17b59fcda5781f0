/** The words about the list: how many events it shows, where was looked for them, and why there are none. */

import {hasToken} from "../api/fetch.js";
import {count} from "../lib/text.js";
import {narrows} from "../model/filter.js";
import {OTHER_TAB, TAB_LABELS} from "../view/tabs.js";

export class ListWords {
	/** `parts` has the models, the views and the `navigation`. */
	constructor(parts) {
		this.parts = parts;
	}

	drawEmptyState() {
		const {batcher, emptyState, filter, navigation, rights, rowBuffer, status, streams, older} = this.parts;
		if (rowBuffer.rows.length) emptyState.hide();
		else if (!batcher.ready) emptyState.showLoading(status.obstacle);
		else if (narrows(filter)) emptyState.showNoMatch(this.#whereLooked(filter), older.readsOn, () => navigation.clearFilters());
		else if (filter.ids.length || streams.of(filter.tab).length || !rights.may("write"))
			emptyState.showNoEvents(this.#otherTab(filter));
		else
			emptyState.showFirstUse(this.#otherTab(filter), {
				apiKeys: streams.apiKeys,
				sources: streams.sources,
				needsToken: hasToken(),
			});
	}

	/** The other tab, or null if it has no events. */
	#otherTab(filter) {
		const tab = OTHER_TAB[filter.tab] ?? "processed";
		const total = this.parts.streams.totalEvents(tab);
		return total ? {label: TAB_LABELS[tab], total, open: () => this.parts.navigation.change({tab})} : null;
	}

	drawCounts() {
		const {batcher, counts, filter, history, list, older, rowBuffer, streams} = this.parts;
		const inView = streams.inView(filter);
		counts.draw(rowBuffer.rows, {
			filter,
			cached: streams.cachedEvents(filter),
			full: rowBuffer.full,
			more: batcher.ready && older.offered && rowBuffer.extends,
			readsOn: older.readsOn,
			looked: history.looked(filter, inView),
			known: inView.length,
			folded: list.look.folded && list.size,
		});
	}

	/** Where was looked for matches. */
	#whereLooked(filter) {
		const {history, streams} = this.parts;
		const inView = streams.inView(filter);
		const looked = history.looked(filter, inView);
		if (looked < inView.length) return `${looked} of ${count(inView.length, "stream")}`;
		return filter.group ? "the events of this group" : count(streams.cachedEvents(filter), "cached event");
	}
}
