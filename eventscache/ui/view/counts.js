/** How many events the list shows, of how many that are cached, and whether older ones can be loaded. */

import {byId, setText, show} from "../lib/dom.js";
import {count, whole} from "../lib/text.js";
import {narrows} from "../model/filter.js";

const ANNOUNCED_EVERY_MS = 3000;

export class Counts {
	#announcedAt = 0;

	/**
	 * @param rows those in the list, which may be `full`
	 * @param cached how many events are cached in the collection that the filter reads
	 * @param looked in how many of the `known` streams was looked
	 * @param folded into how many rows the events are folded, if they are
	 * @param more whether there are older events, and `readsOn` whether the page is reading them
	 */
	draw(rows, state) {
		const shown = rows.filter(row => row.status !== "gap").length;
		const text = countText(shown, state) + foldedText(state);
		setText(byId("counts"), shown || state.more || state.readsOn ? text : "");
		this.#announce(shown ? text : "No events shown");
		show(byId("older"), state.more && !state.readsOn);
		show(byId("unfilter"), narrows(state.filter) && shown > 0);
	}

	#announce(text) {
		if (Date.now() - this.#announcedAt < ANNOUNCED_EVERY_MS) return;
		this.#announcedAt = Date.now();
		setText(byId("counts-live"), text);
	}
}

/** A mark tells nothing of entries that are not in the list. */
const foldedText = ({folded, filter}) =>
	!folded ? "" : `, in ${count(folded, "row")} by event${narrows(filter) ? ", with marks of matches only" : ""}`;

function countText(shown, {filter, cached, full, more, readsOn, looked, known}) {
	const newest = full || (more && narrows(filter) && looked >= known) ? "Newest " : "";
	if (!narrows(filter))
		return shown < cached ? `${newest}${whole(shown)} of ${count(cached, "cached event")}` : newest + count(shown, "event");
	const matches = newest + count(shown, "match", "matches");
	if (looked < known) return `${matches} in ${whole(looked)} of ${count(known, "stream")}${readsOn ? ", reading on …" : ""}`;
	if (newest || filter.group || shown > cached) return matches;
	return `${matches} among ${count(cached, filter.status === "error" ? "cached error" : "cached event")}`;
}
