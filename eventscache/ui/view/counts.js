/** How many events the list shows, of how many that are cached, and whether older ones can be loaded. */

import {byId, setText, show} from "../lib/dom.js";
import {count, whole} from "../lib/text.js";
import {narrows} from "../model/filter.js";
import {MOST_ROWS} from "../model/row_buffer.js";

const ANNOUNCED_EVERY_MS = 3000;

export class Counts {
	#announcedAt = 0;

	/**
	 * @param rows those in the list
	 * @param cached how many events are cached in the collection that the filter reads
	 * @param more whether older events can be loaded
	 */
	draw(rows, {filter, cached, more}) {
		const shown = rows.filter(row => row.status !== "gap").length;
		const full = shown >= MOST_ROWS;
		const text = countText(shown, filter, {cached: Math.max(cached, shown), full, more});
		setText(byId("counts"), shown || more ? text : "");
		this.#announce(shown ? text : "No events shown");
		show(byId("older"), more && !full);
		show(byId("unfilter"), narrows(filter) && shown > 0);
	}

	#announce(text) {
		if (Date.now() - this.#announcedAt < ANNOUNCED_EVERY_MS) return;
		this.#announcedAt = Date.now();
		setText(byId("counts-live"), text);
	}
}

function countText(shown, filter, {cached, full, more}) {
	if (narrows(filter)) {
		const among = count(cached, filter.status === "error" ? "cached error" : "cached event");
		return `${count(shown, "match", "matches")}${more ? " so far" : ""} among ${among}`;
	}
	if (shown < cached) return `${full && !more ? "Newest " : ""}${whole(shown)} of ${count(cached, "cached event")}`;
	return `${full ? "Newest " : ""}${count(shown, "event")}`;
}
