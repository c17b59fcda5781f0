/** Exporting all cached events that match a filter, as a file. */

import {fetchEvents} from "../api/fetch.js";
import {download} from "../lib/clipboard.js";
import {csvHeader, csvLine} from "../lib/csv.js";
import {member, parse, slice} from "../lib/json.js";
import {count} from "../lib/text.js";
import {readEvent} from "../model/event.js";
import {matchesFields, serverParameters} from "../model/filter.js";
import {toast} from "../view/toast.js";

const MOST_EVENTS = 100_000; // of each stream
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

export async function exportEvents(filter, kind) {
	const parameters = serverParameters(filter);
	parameters.set("limit", String(MOST_EVENTS));
	try {
		const sources = (await fetchEvents(parameters)).filter(source => matchesFields(source, filter.fields));
		const moment = new Date().toISOString().slice(0, 19).replace(/:/g, "");
		const name = `events-${filter.tab}-${moment}.${kind}`;
		if (kind === "csv") download([csvHeader(Object.keys(COLUMNS)), ...sources.map(toCsvLine)], "text/csv", name);
		else download(sources.map(source => `${source}\n`), "application/x-ndjson", name);
		toast(`${count(sources.length, "event")} exported`);
	} catch (fault) {
		toast(`Nothing was exported: ${fault.message}`);
	}
}
