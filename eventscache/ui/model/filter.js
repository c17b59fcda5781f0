/** A filter: the tab, the streams and all that narrows the view. It stands in the URL, and decides which events match. */

import {readColumns} from "./columns.js";
import {MOST_FIELDS, parseField, writeField} from "./field.js";

const RANGES = {"5m": 300_000, "1h": 3_600_000, "24h": 86_400_000}; // milliseconds
const TABS = {processed: "destination", incoming: "token", errors: "destination"};
const TEXTS = ["status", "type", "q", "group", "follow"]; // that the server filters by
const LONGEST_ID = 200;
const STATUSES = ["error", "success", "skip"];

/** Whether a status filter selects events of a status; with a minus before it, a status is left out. */
export const selects = (filter, status) => !filter || filter === status || (filter[0] === "-" && filter !== `-${status}`);

/** Return a status filter that leaves out one more status. */
export function without(filter, status) {
	const left = STATUSES.filter(each => each !== status && selects(filter, each));
	return left.length === 1 ? left[0] : `-${status}`;
}

/** What a filter says of an open event while there is none. */
export const CLOSED = Object.freeze({uid: "", stream: "", seq: "", event: ""});

/** What it says of the event of a row: enough to find it wherever it is cached. */
export const linkTo = ({uid, stream, seq, eventId}) => ({uid, stream, seq: String(seq), event: eventId.slice(0, LONGEST_ID)});

export const EMPTY = Object.freeze({
	tab: "processed",
	ids: [],
	status: "",
	type: "",
	q: "",
	range: "",
	start: NaN,
	end: NaN,
	fields: [],
	...CLOSED,
	group: "", // the digest of an error group; in the tab Errors it is the one that is open
	follow: "", // the id of what is followed
	sort: "", // of the error groups
	fold: "", // "1" for one row for each event
	columns: [], // hidden and added ones
});

/** What says how the list shows a view, and changes nothing in it. */
export const displayOf = ({fold, columns}) => ({fold, columns});

/** Whether anything but tab and streams narrows the view. */
export const narrows = filter =>
	TEXTS.some(name => filter[name]) || hasTime(filter) || filter.fields.length > 0;

export const hasTime = filter =>
	Boolean(filter.range) || Number.isFinite(filter.start) || Number.isFinite(filter.end);

export const namespace = filter => TABS[filter.tab];

/** All parts of a filter except the time: what the minutes of the histogram are counted by. */
export const scope = ({tab, ids, fields, ...filter}) => JSON.stringify([tab, ids, fields, TEXTS.map(name => filter[name])]);

/** Write a filter as the fragment of a URL: a fragment is not sent, so that no server logs what people search for. */
export function toHash(filter) {
	const parameters = new URLSearchParams();
	if (filter.tab !== EMPTY.tab) parameters.set("tab", filter.tab);
	for (const id of filter.ids) parameters.append("id", id);
	for (const name of [...TEXTS, "range", ...Object.keys(CLOSED), "sort", "fold"]) {
		if (filter[name]) parameters.set(name, filter[name]);
	}
	for (const name of ["start", "end"]) {
		if (Number.isFinite(filter[name])) parameters.set(name, new Date(filter[name]).toISOString());
	}
	for (const field of filter.fields) parameters.append("field", writeField(field));
	for (const column of filter.columns) parameters.append("col", column);
	const text = parameters.toString();
	return text ? `#${text}` : "";
}

/** Read the fragment of a URL. Parts that are not valid are left out. */
export function fromHash(hash) {
	const parameters = new URLSearchParams(hash.replace(/^#/, ""));
	const one = (name, known) => {
		const value = parameters.get(name) ?? "";
		return !known || known.includes(value) ? value : "";
	};
	return {
		...EMPTY,
		tab: one("tab", Object.keys(TABS)) || EMPTY.tab,
		ids: [...new Set(parameters.getAll("id").filter(Boolean))],
		status: one("status", STATUSES.flatMap(status => [status, `-${status}`])),
		type: one("type"),
		q: one("q"),
		range: one("range", Object.keys(RANGES)),
		start: Date.parse(one("start")),
		end: Date.parse(one("end")),
		fields: parameters.getAll("field").map(parseField).filter(Boolean).slice(0, MOST_FIELDS),
		...Object.fromEntries(Object.keys(CLOSED).map(name => [name, one(name)])),
		group: one("group"),
		follow: one("follow"),
		sort: one("sort", ["frequent"]),
		fold: one("fold", ["1"]),
		columns: readColumns(parameters.getAll("col")),
	};
}

/** The parameters by which the server filters, for cached events and for the push, and `more` that are given. */
export function serverParameters(filter, more = {}) {
	const parameters = new URLSearchParams({namespace: namespace(filter), ...more});
	if (filter.ids.length) parameters.set("ids", filter.ids.join(","));
	if (filter.tab !== "errors") {
		for (const name of TEXTS) if (filter[name]) parameters.set(name, filter[name]);
		for (const field of filter.fields) parameters.append("field", writeField(field));
	}
	const start = rangeStart(filter);
	if (Number.isFinite(start)) parameters.set("start", String(start));
	if (!filter.range && Number.isFinite(filter.end)) parameters.set("end", String(filter.end));
	return parameters;
}

/** Where the time filter begins now, in Unix milliseconds, or NaN. */
export const rangeStart = ({range, start}) => (range ? Date.now() - RANGES[range] : start);
