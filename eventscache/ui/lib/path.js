/** Paths into an event: `user.email`, `items[0].sku`, `["odd key"].x`. */

import {member} from "./json.js";

const PLAIN = /^[A-Za-z_$][\w$-]*$/;
const STEP = /\.?([A-Za-z_$][\p{L}\p{N}_$-]*)|\[(\p{Nd}{1,9})\]|\[("(?:[^"\\]|\\.)*")\]/suy;

export function joinPath(keys) {
	return keys.reduce((path, key) => {
		if (typeof key === "number") return `${path}[${key}]`;
		if (!PLAIN.test(key)) return `${path}[${JSON.stringify(key)}]`;
		return path ? `${path}.${key}` : key;
	}, "");
}

function quotedName(text) {
	try {
		return JSON.parse(text);
	} catch {
		return "";
	}
}

/** Return the keys of the path at the beginning of a text, and where it ends. */
export function readPath(text) {
	const keys = [];
	let end = 0;
	for (STEP.lastIndex = 0; ; end = STEP.lastIndex) {
		const found = STEP.exec(text);
		if (!found) return {keys, end};
		keys.push(found[1] ?? (found[2] === undefined ? quotedName(found[3]) : Number(found[2])));
	}
}

/** Return the keys of a path, or null if the text is not a path. */
export function splitPath(path) {
	const {keys, end} = readPath(path);
	return keys.length && end === path.length ? keys : null;
}

/** Return the node at a path below another, or undefined. */
export function lookUp(node, keys) {
	for (const key of keys) node = typeof key === "number" ? node?.items?.[key] : member(node, key);
	return node;
}
