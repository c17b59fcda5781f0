/** Finding single events in the cache. */

import {fetchEvents} from "../api/fetch.js";
import {readEvent} from "../model/event.js";
import {namespace} from "../model/filter.js";

const MOST_STREAMS = 100; // with errors

async function fetchRows(parameters) {
	const sources = await fetchEvents(parameters).catch(() => []);
	return sources.map(source => readEvent(source)?.row).filter(Boolean);
}

/** Return the row of the event that a filter names, or undefined if it cannot be read. */
export async function findOpenEvent(filter) {
	const parameters = new URLSearchParams({namespace: namespace(filter), q: filter.uid, limit: "5"});
	for (const name of ["group", "follow"]) if (filter[name]) parameters.set(name, filter[name]);
	if (filter.ids.length) parameters.set("ids", filter.ids.join(","));
	return (await fetchRows(parameters)).find(({uid}) => uid === filter.uid);
}

/** Return the row of the last error of each of some streams, of those that have any and can be read. */
export async function findLastErrors(filter, streams) {
	const failing = streams.filter(({error_events: errors}) => errors > 0).slice(0, MOST_STREAMS);
	if (!failing.length) return [];
	const ids = failing.map(({id}) => id).join(",");
	const parameters = new URLSearchParams({namespace: namespace(filter), ids, status: "error", limit: "1"});
	return fetchRows(parameters);
}
