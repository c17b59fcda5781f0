/**
 * The columns of the list: built-in ones can be hidden, and a path is a column of one's own. In the address `-id` hides
 * a column, and `user.email` adds one.
 */

import {member, parse, slice} from "../lib/json.js";
import {lookUp, splitPath} from "../lib/path.js";

export const BUILT_IN = {"-ago": "Age", "-type": "Type", "-id": "Event id", "-stream": "Stream", "-preview": "Summary"};
const MOST_OWN = 10;
const LONGEST_PATH = 200; // characters

/** Return what of some texts hides or adds columns, each once. */
export function readColumns(texts) {
	const known = [...new Set(texts)];
	const own = known.filter(text => text.length <= LONGEST_PATH && splitPath(text));
	return [...Object.keys(BUILT_IN).filter(name => known.includes(name)), ...own.slice(0, MOST_OWN)];
}

/** Those of one's own. */
export const ownOf = columns => columns.filter(column => !BUILT_IN[column]);

/** Hide what is shown, and show what is hidden. */
export const toggled = (columns, column) =>
	readColumns(columns.includes(column) ? columns.filter(other => other !== column) : [...columns, column]);

/**
 * Return the value of an event at each path: its `node`, its JSON exactly as received, and the `text` that it is filtered
 * by; undefined where it has none. As for filters, what a destination made of the event comes after the original.
 */
export function valuesAt({source}, paths) {
	try {
		const root = paths.length && parse(source);
		const at = (name, path) => lookUp(member(root, name), splitPath(path));
		return paths.map(path => {
			const node = at("original", path) ?? at("success", path);
			const raw = slice(source, node);
			return node && {node, raw, text: node.value ?? raw};
		});
	} catch {
		return []; // it is too deep to be read here
	}
}
