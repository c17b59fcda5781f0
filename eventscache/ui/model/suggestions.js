/** What a filter by a field can be: the paths and values of events that the page has. */

import {children, member, parse, slice, walk} from "../lib/json.js";
import {joinPath, lookUp, readPath} from "../lib/path.js";
import {writeField} from "./field.js";

const MOST_ROWS_READ = 200;
const MOST_NODES = 500; // of an event
const MOST_SUGGESTED = 100;
const LONGEST_VALUE = 100;
const BEFORE_VALUE = /^\s*(!=|=|~|<|>)/;

const originals = new WeakMap(); // by rows

function originalOf(row) {
	if (!originals.has(row)) originals.set(row, member(parse(row.source), "original"));
	return originals.get(row);
}

function* pathsIn(original) {
	for (const {node, keys} of walk(original, MOST_NODES)) if (keys.length && !children(node).length) yield joinPath(keys);
}

function* valuesAt(roots, keys, text) {
	for (const {source, root} of roots) {
		const node = lookUp(root, keys);
		const value = node && (node.value ?? slice(source, node));
		if (value !== undefined && value.length <= LONGEST_VALUE && value.includes(text)) yield value;
	}
}

function first(found, most = MOST_SUGGESTED) {
	const all = new Set();
	for (const each of found) if (all.add(each).size >= most) break;
	return [...all];
}

const rootsOf = rows =>
	rows.filter(({source}) => source).slice(0, MOST_ROWS_READ).map(row => ({source: row.source, root: originalOf(row)}));

/** Return paths of the rows that have a text. */
export const paths = (text, rows) =>
	first(rootsOf(rows).flatMap(({root}) => [...pathsIn(root)].filter(path => path.includes(text.trim()))));

/** Return expressions that a text can become: with a path of the rows, or with a value behind its path and operator. */
export function suggestions(text, rows) {
	const [, sign, expression] = /^\s*(-?)\s*(.*)$/s.exec(text);
	const {keys, end} = readPath(expression);
	const op = BEFORE_VALUE.exec(expression.slice(end))?.[1];
	if (!keys.length || !op) return paths(expression, rows).map(path => `${sign}${path} = `);
	const begun = expression.slice(end).replace(BEFORE_VALUE, "").trim().replace(/^"/, "");
	const path = expression.slice(0, end);
	return first(valuesAt(rootsOf(rows), keys, begun)).map(value => writeField({negated: Boolean(sign), path, op, values: [value]}));
}
