/** Finding single events in the cache. */

import {fetchEvents} from "../api/fetch.js";
import {readEvent} from "../model/event.js";
import {namespace} from "../model/filter.js";

const MOST_STREAMS = 20; // with errors

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

/** Return when the last error of some streams was, in Unix milliseconds; NaN if there was none or it cannot be read. */
export async function findLastError(filter, streams) {
	const failing = streams.filter(({error_events: errors}) => errors > 0).slice(0, MOST_STREAMS);
	if (filter.status === "error" || !failing.length) return NaN;
	const ids = failing.map(({id}) => id).join(",");
	const parameters = new URLSearchParams({namespace: namespace(filter), ids, status: "error", limit: "1"});
	const times = (await fetchRows(parameters)).map(({time}) => time).filter(Number.isFinite);
	return times.length ? Math.max(...times) : NaN;
}
