/** The differences between an original and what a destination stored: changed, renamed, added, left out, the same. */

import {member, parse, slice} from "../lib/json.js";

const TRIVIAL = 2; // characters: a value such as 1 or "" does not show which field it came from

/** Return the leaves of a node by flattened name, as destinations name their columns. */
function flatten(text, node, separator) {
	const leaves = new Map();
	const visit = (inner, name) => {
		// Destinations keep arrays whole.
		if (inner.kind === "object" && inner.entries.length) {
			for (const [key, child] of inner.entries) visit(child, name ? `${name}${separator}${key}` : key);
		} else if (name) {
			leaves.set(name, slice(text, inner));
		}
	};
	visit(node, "");
	return leaves;
}

/** The columns of a table row, or null if the result is not one. */
export function columns(text, success) {
	const record = member(success, "record");
	if (record?.kind !== "array") return null;
	return record.items.map(item => ({
		field: member(item, "field")?.value ?? "",
		type: member(item, "type")?.value ?? "",
		value: slice(text, member(item, "value")),
	}));
}

/** A raw value without its type: 1.1 and "1.1" are the same. */
const bare = raw => (raw.startsWith('"') ? JSON.parse(raw) : raw);

/** A raw value as people see it: `"\\u0026"` and `"&"` are the same. */
const seen = raw => (raw.startsWith('"') ? JSON.stringify(bare(raw)) : raw);

/**
 * Return rows of texts by kind: `changed` and `retyped` (name, before, after), `renamed` (old name, new name, value),
 * and `added`, `left`, `same` (name, value).
 * @param before raw values, as in JSON, by name
 */
export function compare(before, after) {
	const found = {changed: [], retyped: [], renamed: [], added: [], left: [], same: []};
	const left = new Map(before);
	const added = new Map();
	for (const [name, value] of after) {
		const old = left.get(name);
		left.delete(name);
		if (old === undefined) added.set(name, value);
		else if (seen(old) === seen(value)) found.same.push([name, value]);
		else found[bare(old) === bare(value) ? "retyped" : "changed"].push([name, old, value]);
	}
	const byValue = new Map();
	for (const [name, value] of left) byValue.set(seen(value), byValue.has(seen(value)) ? null : name);
	const times = new Map();
	for (const value of added.values()) times.set(seen(value), (times.get(seen(value)) ?? 0) + 1);
	for (const [name, value] of added) {
		// A value that stands exactly once on each side shows that a field was renamed.
		const old = value.length > TRIVIAL && times.get(seen(value)) === 1 && byValue.get(seen(value));
		if (old) {
			found.renamed.push([old, name, value]);
			left.delete(old);
		} else {
			found.added.push([name, value]);
		}
	}
	found.left.push(...left);
	return found;
}

/** Compare an original with its result; null if there is nothing to compare. */
export function differences(text, original, success) {
	if (!original || !success) return null;
	const table = columns(text, success);
	if (table) {
		return compare(flatten(text, original, "_"), new Map(table.map(({field, value}) => [field, value])));
	}
	const body = member(success, "body");
	if (body?.kind !== "string") return null;
	try {
		const inner = parse(body.value);
		return inner.kind === "object" ? compare(flatten(text, original, "."), flatten(body.value, inner, ".")) : null;
	} catch {
		return null;
	}
}
