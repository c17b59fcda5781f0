/** Exporting what a view shows as a file: all cached events that match, and the rows that are no longer cached. */

import {fetchEvents} from "../api/fetch.js";
import {download} from "../lib/clipboard.js";
import {csvHeader, csvLine} from "../lib/csv.js";
import {member, parse, slice} from "../lib/json.js";
import {count, whole} from "../lib/text.js";
import {readEvent} from "../model/event.js";
import {serverParameters} from "../model/filter.js";
import {portions} from "../model/streams.js";
import {toast} from "../view/toast.js";

const ALL_EVENTS = "1000000000"; // of each stream
const LARGEST = 300_000_000; // characters of a file
const COLUMNS = {
	timestamp: ({row}) => row.timestamp,
	status: ({row}) => row.status,
	stream: ({row}) => row.stream,
	seq: ({row}) => row.seq,
	uid: ({row}) => row.uid,
	event_type: ({row}) => row.type,
	event_id: ({row}) => row.id,
	error: ({event}) => event.error,
	skip: ({event}) => event.skip,
	malformed: ({event}) => event.malformed,
	// Exactly as received: parsed, a number such as 1.10 would be another text.
	original: ({row, root}) => slice(row.source, member(root, "original")),
	success: ({row, root}) => slice(row.source, member(root, "success")),
};

function toCsvLine(source) {
	const read = readEvent(source);
	if (!read) return "";
	const root = parse(source);
	return csvLine(Object.values(COLUMNS).map(column => column({...read, root})));
}

function save(filter, kind, sources) {
	const moment = new Date().toISOString().slice(0, 19).replace(/:/g, "");
	const name = `events-${filter.tab}-${moment}.${kind}`;
	if (kind === "csv") download([csvHeader(Object.keys(COLUMNS)), ...sources.map(toCsvLine)], "text/csv", name);
	else download(sources.map(source => `${source}\n`), "application/x-ndjson", name);
}

/** Read all events of a view; return those of how many streams were `left` out, too. */
async function readAll(filter, streams) {
	const sources = [];
	let size = 0;
	let left = streams.length;
	for (const ids of portions(streams.map(({id}) => id))) {
		if (size > LARGEST) break;
		for (const source of await fetchEvents(serverParameters({...filter, ids}, {limit: ALL_EVENTS}))) {
			sources.push(source);
			size += source.length;
		}
		left -= ids.length;
	}
	return {sources, left};
}

/** @param view the `filter`, the `streams`, the `rowBuffer`, and `streamRefresh` */
export async function exportEvents({filter, streams, rowBuffer, streamRefresh}, kind) {
	const rows = rowBuffer.rows.filter(({source}) => source);
	try {
		await streamRefresh.refresh();
		const {sources, left} = await readAll(filter, streams.inView(filter));
		const keys = new Set(sources.map(source => readEvent(source)?.row.key));
		const gone = rows.filter(({key}) => !keys.has(key)).map(({source}) => source);
		save(filter, kind, [...sources, ...gone]);
		const also = gone.length ? `, ${whole(gone.length)} of them no longer cached` : "";
		const without = left ? `. ${count(left, "stream")} left out: the file would be too large` : "";
		toast(`${count(sources.length + gone.length, "event")} exported${also}${without}`);
	} catch (fault) {
		toast(`Nothing was exported: ${fault.message}`);
	}
}
