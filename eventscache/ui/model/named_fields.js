/** The fields of an original that an error message names. */

import {walk} from "../lib/json.js";

// A path or a name with an underscore; or whatever stands in brackets or quotes.
const NAMES = /([\w$-]+(?:\.[\w$-]+|\[\d+\])*)|\[([^[\]]+)\]|"([^"]+)"|(?<!\w)'([^']+)'|`([^`]+)`/g;
const LONGEST_MESSAGE = 4096;
const MOST_FIELDS = 10_000; // that are looked at
const MOST_FOUND = 5;

/** A path as Jitsu makes a column of it: `user.Email` and `user_email` are the same. */
const flattened = (path) => path.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "_");

function namesIn(message) {
	const found = [...message.slice(0, LONGEST_MESSAGE).matchAll(NAMES)].flatMap(([, word, ...enclosed]) =>
		word === undefined ? enclosed.find(Boolean).split(/, ?/) : /[._[]/.test(word) ? [word] : [],
	);
	return [...new Set(found.map(flattened))].filter((name) => /[^_]/.test(name));
}

/**
 * Return the paths that a message names, as lists of keys. A name is a whole path, or else the end of one.
 * @param original a node of `parse`
 */
export function namedFields(message, original) {
	const names = namesIn(message);
	const [whole, ends] = [new Map(), new Map()];
	for (const {keys} of names.length ? walk(original, MOST_FIELDS) : []) {
		const path = flattened(keys.join("_"));
		for (const name of names) {
			const found = path === name ? whole : path.endsWith(`_${name}`) ? ends : null;
			found?.set(name, [...(found.get(name) ?? []), keys]);
		}
	}
	const found = names.flatMap(name => whole.get(name) ?? ends.get(name) ?? []);
	return [...new Set(found)].slice(0, MOST_FOUND);
}
