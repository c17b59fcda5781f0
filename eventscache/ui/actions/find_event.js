/** Finding single events in the cache. */

import {fetchLookup, fetchRows} from "../api/fetch.js";
import {EMPTY, namespace, serverParameters} from "../model/filter.js";
import {linesOf} from "../model/way.js";

const MOST_STREAMS = 100; // with errors

/** Return the rows that can be read. */
const findRows = parameters => fetchRows(parameters).catch(() => []);

/** Return the row of a number in a stream: as a filter selects it, or else from the lists of all events and of errors. */
async function findBySeq(filter, stream, seq) {
	const any = {...EMPTY, tab: filter.tab};
	for (const each of [filter, any, {...any, status: "error"}]) {
		const one = {after: seq - 1, before: Number(seq) + 1, limit: 1};
		const [row] = await findRows(serverParameters({...each, ids: [stream]}, one));
		if (row) return row;
	}
	return undefined;
}

async function findByUid({uid, ids, ...filter}) {
	const parameters = new URLSearchParams({namespace: namespace(filter), q: uid, limit: "5"});
	for (const name of ["group", "follow"]) if (filter[name]) parameters.set(name, filter[name]);
	if (ids.length) parameters.set("ids", ids.join(","));
	return (await findRows(parameters)).find(row => row.uid === uid);
}

/** Return the row of an entry that the lookup finds: the one with that uid, or else another one of the event. */
async function findByEventId({uid, event}) {
	const {ways} = event ? await fetchLookup(event).catch(() => ({ways: []})) : {ways: []};
	const lines = ways.filter(({event_id: id}) => id === event).flatMap(linesOf).filter(({seq}) => seq);
	const line = lines.find(each => each.uid === uid) ?? lines[0];
	return line && findBySeq({...EMPTY, tab: line.tab}, line.stream, line.seq);
}

/** Return the row of the event that a filter names, or of another entry of it; undefined if none can be read. */
export async function findOpenEvent(filter) {
	const {uid, stream, seq} = filter;
	const named = stream && /^\d{1,15}$/.test(seq) ? await findBySeq(filter, stream, seq) : undefined;
	if (named?.uid === uid) return named;
	return (await findByUid(filter)) ?? (await findByUid({...filter, ids: stream ? [stream] : []})) ?? (await findByEventId(filter));
}

/** Return the row of the last error of each of some streams, of those that have any and can be read. */
export async function findLastErrors(filter, streams) {
	const failing = streams.filter(({error_events: errors}) => errors > 0).slice(0, MOST_STREAMS);
	if (!failing.length) return [];
	const ids = failing.map(({id}) => id).join(",");
	const parameters = new URLSearchParams({namespace: namespace(filter), ids, status: "error", limit: "1"});
	return findRows(parameters);
}
