/** Loading events that are older than those in the list. */

import {fetchEvents} from "../api/fetch.js";
import {readEvent} from "../model/event.js";
import {matchesFields, serverParameters} from "../model/filter.js";
import {MOST_ROWS} from "../model/row_buffer.js";
import {toast} from "../view/toast.js";

const MOST_STREAMS = 20; // each takes a request

/**
 * Return older rows, oldest first inside a stream, or null if they cannot be read.
 * @param shown how many rows the list has
 * @param streams those in view
 */
export async function loadOlder(history, shown, filter, streams) {
	const chosen = history.streamsWithMore(filter, streams).slice(0, MOST_STREAMS);
	const limit = Math.max(1, Math.ceil((MOST_ROWS - shown) / Math.max(1, chosen.length)));
	const older = [];
	try {
		for (const {id} of chosen) older.push(...(await loadStream(history, id, filter, limit)));
	} catch (fault) {
		toast(`Older events could not be read: ${fault.message}`);
		return null;
	}
	return older.reverse();
}

async function loadStream(history, id, filter, limit) {
	const parameters = serverParameters({...filter, ids: [id]});
	const oldest = history.oldestOf(id);
	if (oldest !== undefined) parameters.set("before", String(oldest));
	parameters.set("limit", String(limit));
	const sources = await fetchEvents(parameters);
	const rows = sources.map(source => readEvent(source)?.row).filter(Boolean);
	rows.forEach(row => history.add(row));
	if (sources.length < limit) history.complete(id);
	return rows.filter(({source}) => matchesFields(source, filter.fields));
}
