/**
 * Texts of events as people read them. Characters that nobody sees, or that reorder the text around them, are small marked
 * escapes: text that only looks like an escape has no mark. What is searched for is marked too.
 */

import {el} from "../lib/dom.js";
import {escapeOf, HIDDEN, INVISIBLE_CHARACTERS} from "../lib/text.js";

const STRING = /("(?:[^"\\]|\\.)*")/s;

let sought = null;

/** Mark a text from now on, in upper or lower case, or nothing; return whether that is new. */
export function seek(text) {
	const before = sought?.source;
	sought = text ? new RegExp(text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu") : null;
	return before !== sought?.source;
}

/** Whether a text has what is searched for. */
export const isSought = text => sought !== null && text.search(sought) >= 0;

/** Return the nodes of a text; with `lines`, its tabs and line breaks stay as they are. */
export function textNodes(text, {lines = false} = {}) {
	const hidden = lines ? INVISIBLE_CHARACTERS : HIDDEN;
	const plain = part => pieces(part, hidden, character => el("span.escape", escapeOf(character)));
	return sought ? pieces(text, sought, found => el("mark", ...plain(found)), plain) : plain(text);
}

/** Return the nodes of a text: those of `node` for what a pattern finds, and those of `rest` for the text between. */
function pieces(text, pattern, node, rest = part => [part]) {
	const nodes = [];
	let at = 0;
	for (const {0: found, index} of text.matchAll(pattern)) {
		if (index > at) nodes.push(...rest(text.slice(at, index)));
		nodes.push(node(found));
		at = index + found.length;
	}
	return at < text.length ? [...nodes, ...rest(text.slice(at))] : nodes;
}

export const stringNodes = value => ['"', ...textNodes(value), '"'];

/** Return the nodes of JSON, with its strings as they are meant. */
export const jsonNodes = raw =>
	raw.split(STRING).flatMap((part, index) => (index % 2 ? stringNodes(meaning(part)) : textNodes(part)));

function meaning(string) {
	try {
		return JSON.parse(string);
	} catch {
		return string.slice(1, -1); // a text that is no JSON
	}
}
