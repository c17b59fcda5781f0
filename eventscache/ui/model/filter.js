/** A filter: the tab, the streams and all that narrows the view. It stands in the URL, and decides which events match. */

import {member, parse, slice} from "../lib/json.js";
import {compareNumbers} from "../lib/number.js";
import {lookUp, splitPath} from "../lib/path.js";

export const RANGES = {
	"5m": ["last 5 min", 5 * 60_000],
	"1h": ["last hour", 3_600_000],
	"24h": ["last 24 h", 86_400_000],
};
const TABS = {processed: "destination", incoming: "token", errors: "destination"};
const TEXTS = ["status", "type", "q", "group", "follow"]; // that the server filters by
const SERVER_STATUSES = ["error", "success", "skip"];
const EXPRESSION = /^\s*((?:[\w$.-]|\[\d+\]|\["(?:[^"\\]|\\.)*"\])+)\s*(!=|=|~|>|<)\s*(.+?)\s*$/s;
const QUOTED = /^"(?:[^"\\]|\\.)*"$/s;
const HALF = /\p{Cs}/u; // of a surrogate pair: a URL cannot hold it

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
	uid: "",
	group: "", // the digest of an error group; in the tab Errors it is the one that is open
	follow: "", // the id of what is followed
	sort: "", // of the error groups
});

/** Whether anything but tab and streams narrows the view. */
export const narrows = filter =>
	TEXTS.some(name => filter[name]) || hasTime(filter) || filter.fields.length > 0;

export const hasTime = filter =>
	Boolean(filter.range) || Number.isFinite(filter.start) || Number.isFinite(filter.end);

export const namespace = filter => TABS[filter.tab];

/** All parts of a filter except the time: what the minutes of the histogram are counted by. */
export const scope = ({tab, ids, fields, ...filter}) => JSON.stringify([tab, ids, fields, TEXTS.map(name => filter[name])]);

/** The string that a text in quotation marks is in JSON; any other text as it is. */
function unquoted(text) {
	try {
		return QUOTED.test(text) ? JSON.parse(text) : text;
	} catch {
		return text;
	}
}

/** Return a field filter such as `user.email ~ jitsu.com` or `note = " x"`; null if the text is not one. */
export function parseField(text) {
	const found = EXPRESSION.exec(text);
	return found && splitPath(found[1]) ? {path: found[1], op: found[2], value: unquoted(found[3])} : null;
}

/** A value as `parseField` reads it: in quotation marks if it would change without them. */
export const quoteValue = value =>
	value && value === value.trim() && !QUOTED.test(value) && !HALF.test(value) ? value : JSON.stringify(value);

/** Write a filter as the fragment of a URL: a fragment is not sent, so that no server logs what people search for. */
export function toHash(filter) {
	const parameters = new URLSearchParams();
	if (filter.tab !== EMPTY.tab) parameters.set("tab", filter.tab);
	for (const id of filter.ids) parameters.append("id", id);
	for (const name of [...TEXTS, "range", "uid", "sort"]) {
		if (filter[name]) parameters.set(name, filter[name]);
	}
	for (const name of ["start", "end"]) {
		if (Number.isFinite(filter[name])) parameters.set(name, new Date(filter[name]).toISOString());
	}
	for (const {path, op, value} of filter.fields) parameters.append("field", `${path} ${op} ${quoteValue(value)}`);
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
		status: one("status", SERVER_STATUSES),
		type: one("type"),
		q: one("q"),
		range: one("range", Object.keys(RANGES)),
		start: Date.parse(one("start")),
		end: Date.parse(one("end")),
		fields: parameters.getAll("field").map(parseField).filter(Boolean),
		uid: one("uid"),
		group: one("group"),
		follow: one("follow"),
		sort: one("sort", ["frequent"]),
	};
}

/** The parameters by which the server filters, for cached events and for the push. */
export function serverParameters(filter, now = Date.now()) {
	const parameters = new URLSearchParams({namespace: namespace(filter)});
	if (filter.ids.length) parameters.set("ids", filter.ids.join(","));
	for (const name of filter.tab === "errors" ? [] : TEXTS) if (filter[name]) parameters.set(name, filter[name]);
	const start = rangeStart(filter, now);
	if (Number.isFinite(start)) parameters.set("start", String(start));
	if (!filter.range && Number.isFinite(filter.end)) parameters.set("end", String(filter.end));
	return parameters;
}

/** Where the time filter begins now, in Unix milliseconds, or NaN. */
export const rangeStart = (filter, now = Date.now()) => (filter.range ? now - RANGES[filter.range][1] : filter.start);

/** Find a field in the original, or else among the columns that the destination wrote. */
function fieldNode(root, path) {
	const found = lookUp(member(root, "original"), splitPath(path));
	if (found) return found;
	const record = member(member(root, "success"), "record")?.items ?? [];
	const column = record.find(each => member(each, "field")?.value === path);
	return column && member(column, "value");
}

// `value` is a string, or the JSON of any other value exactly as received; undefined if the event has no such field.
const OPERATORS = {
	"=": (value, operand) => value === operand || (value !== undefined && compareNumbers(value, operand) === 0),
	"!=": (value, operand) => !OPERATORS["="](value, operand),
	"~": (value, operand) => value !== undefined && value.toLowerCase().includes(operand.toLowerCase()),
	">": (value, operand) => value !== undefined && compareNumbers(value, operand) > 0,
	"<": (value, operand) => value !== undefined && compareNumbers(value, operand) < 0,
};

/** Whether the JSON of an event matches all field filters. The server does not know this kind of filter. */
export function matchesFields(source, fields) {
	if (!fields.length) return true;
	const root = parse(source);
	return fields.every(({path, op, value}) => {
		const node = fieldNode(root, path);
		return OPERATORS[op](node && (node.value ?? slice(source, node)), value);
	});
}
