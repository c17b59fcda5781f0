/**
 * Filters by a field: `user.email ~ jitsu.com`, `-price > 10`, `kind = (a, b)`. The server filters by them, and reads the
 * same expressions: `tests/query/field_filters.json` has cases for both.
 */

import {readPath} from "../lib/path.js";

/** How many a view has at most, and how many characters one has: the server's limits. */
export const MOST_FIELDS = 20;
const LONGEST = 1000;

const SPACE = "(?:(?!\\ufeff)[\\s\\x1c-\\x1f\\x85])"; // as Python has it
const EDGES = new RegExp(`^${SPACE}+|${SPACE}+$`, "g");
const OPERATOR = new RegExp(`${SPACE}*(!=|=|~|<|>)${SPACE}*`, "y");
const ITEM = new RegExp(`${SPACE}*("(?:[^"\\\\]|\\\\.)*"|[^,]*?)${SPACE}*(?:,|$)`, "sy");
const NUMBER = /^[+-]?(?=\.?\p{Nd})\p{Nd}{0,400}(?:\.\p{Nd}{0,400})?(?:[eE][+-]?\p{Nd}{1,15})?$/u;
const HALF = /\p{Cs}/u; // of a surrogate pair: a URL cannot hold it

const trimmed = text => text.replace(EDGES, "");

/** The string that a text in quotation marks is in JSON; any other text as it is. */
function unquoted(text) {
	try {
		return text.startsWith('"') ? JSON.parse(text) : text;
	} catch {
		return text;
	}
}

function readValues(text) {
	if (!/^\(.*\)$/s.test(text)) return [unquoted(text)];
	const inside = text.slice(1, -1);
	const values = [];
	for (ITEM.lastIndex = 0; ITEM.lastIndex < inside.length; ) values.push(unquoted(ITEM.exec(inside)[1]));
	return values;
}

/** Return the filter `{negated, path, op, values}` that a text writes; null if it writes none. */
export function parseField(text) {
	if ([...text].length > LONGEST) return null;
	const negated = trimmed(text).startsWith("-");
	const expression = negated ? trimmed(trimmed(text).slice(1)) : trimmed(text);
	const {keys, end} = readPath(expression);
	OPERATOR.lastIndex = end;
	const op = OPERATOR.exec(expression)?.[1];
	if (!keys.length || !op) return null;
	const values = readValues(expression.slice(OPERATOR.lastIndex));
	if (!values.length || (values.length === 1 && !values[0] && !expression.endsWith('"'))) return null;
	if (/[<>]/.test(op) && !values.every(value => NUMBER.test(trimmed(value)))) return null;
	return {negated, path: expression.slice(0, end), op, values};
}

/** Whether a text is a path and an operator, or the beginning of one, without a value yet. */
export function isUnfinished(text) {
	const expression = trimmed(text.replace(/^\s*-/, ""));
	const {keys, end} = readPath(expression);
	return keys.length > 0 && /^\s*[!=~<>]=?\s*\(?$/.test(expression.slice(end));
}

/** A value as it is read: in quotation marks if it would change without them. */
function quoted(value, listed) {
	const changes = !value || value !== trimmed(value) || /^"|^\(.*\)$/s.test(value) || HALF.test(value);
	return changes || (listed && value.includes(",")) ? JSON.stringify(value) : value;
}

/** The values of a filter as they are written. */
export function writeValues({values}) {
	const written = values.map(value => quoted(value, values.length > 1));
	return written.length > 1 ? `(${written.join(", ")})` : written[0];
}

/** Write a filter, so that it is read as the same. */
export const writeField = field => `${field.negated ? "-" : ""}${field.path} ${field.op} ${writeValues(field)}`;

/** Whether it is short enough for the server. */
export const mayBeField = field => parseField(writeField(field)) !== null;
