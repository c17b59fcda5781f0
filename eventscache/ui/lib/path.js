/** Paths into an event: `user.email`, `items[0].sku`, `["odd key"].x`. */

import {member} from "./json.js";

const PLAIN = /^[A-Za-z_$][\w$-]*$/;
const STEP = /\.?([A-Za-z_$][\w$-]*)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/sy;

export function joinPath(keys) {
	return keys.reduce((path, key) => {
		if (typeof key === "number") return `${path}[${key}]`;
		if (!PLAIN.test(key)) return `${path}[${JSON.stringify(key)}]`;
		return path ? `${path}.${key}` : key;
	}, "");
}

/** Return the keys of a path, or null if the text is not a path. */
export function splitPath(path) {
	const keys = [];
	let at = 0;
	while (at < path.length) {
		STEP.lastIndex = at;
		const found = STEP.exec(path);
		if (!found) return null;
		keys.push(found[1] ?? (found[2] === undefined ? JSON.parse(found[3]) : Number(found[2])));
		at = STEP.lastIndex;
	}
	return keys.length ? keys : null;
}

/** Return the node at a path below another, or undefined. */
export function lookUp(node, keys) {
	for (const key of keys) node = typeof key === "number" ? node?.items?.[key] : member(node, key);
	return node;
}
