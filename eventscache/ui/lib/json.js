/**
 * JSON without loss: numbers keep their digits, objects their order and duplicate keys, and each value knows its position
 * in the text. `JSON.parse` keeps none of that, and the page shows events byte for byte.
 *
 * A node is `{kind, start, end}` with `entries` ([key, node] pairs) in an object, `items` in an array, `value` in a
 * string. Keys live in arrays, so that one named `__proto__` is a key like any other.
 */

const SPACE = /[ \t\r\n]*/y;
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/sy;
const ATOM = /true|false|null|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

export function parse(text) {
	let at = 0;

	function match(pattern) {
		pattern.lastIndex = at;
		const found = pattern.exec(text);
		if (!found) throw new SyntaxError(`unexpected text at ${at}`);
		at = pattern.lastIndex;
		return found[0];
	}

	function take(character) {
		match(SPACE);
		if (text[at] !== character) return false;
		at += 1;
		return true;
	}

	function members(closing, read) {
		const found = [];
		if (take(closing)) return found;
		do {
			match(SPACE);
			found.push(read());
		} while (take(","));
		if (!take(closing)) throw new SyntaxError(`unexpected text at ${at}`);
		return found;
	}

	function entry() {
		const key = JSON.parse(match(STRING));
		if (!take(":")) throw new SyntaxError(`unexpected text at ${at}`);
		return [key, value()];
	}

	function value() {
		match(SPACE);
		const start = at;
		const first = text[at];
		if (first === "{" || first === "[") {
			at += 1;
			const inner =
				first === "{"
					? {kind: "object", entries: members("}", entry)}
					: {kind: "array", items: members("]", value)};
			return {...inner, start, end: at};
		}
		if (first === '"') return {kind: "string", value: JSON.parse(match(STRING)), start, end: at};
		const atom = match(ATOM);
		return {kind: {t: "boolean", f: "boolean", n: "null"}[atom[0]] ?? "number", start, end: at};
	}

	const root = value();
	match(SPACE);
	if (at < text.length) throw new SyntaxError(`unexpected text at ${at}`);
	return root;
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;

/** Put each value of a JSON text on a line of its own; the values stay exactly as they are. */
export function pretty(text) {
	const tokens = text.match(TOKEN) ?? [];
	const lines = [""];
	let depth = 0;
	const newLine = () => lines.push("\t".repeat(depth));
	tokens.forEach((token, at) => {
		const closes = token === "}" || token === "]";
		if (closes) depth -= 1;
		if (closes && !"{[".includes(tokens[at - 1])) newLine();
		lines[lines.length - 1] += token === ":" ? ": " : token;
		if (token === "{" || token === "[") depth += 1;
		if (token === "," || ("{[".includes(token) && !"}]".includes(tokens[at + 1]))) newLine();
	});
	return lines.join("\n");
}

/** The children of a node as [key, node] pairs; an array's keys are numbers. */
export const children = node => node?.entries ?? node?.items?.map((item, index) => [index, item]) ?? [];

/** Yield each node of a tree with the keys that lead to it, from the top; of `most` nodes, as an event can be of any size. */
export function* walk(root, most) {
	const left = [[root, []]];
	for (let seen = 0; left.length && seen < most; seen += 1) {
		const [node, keys] = left.pop();
		yield {node, keys};
		for (const [key, child] of children(node).toReversed()) left.push([child, [...keys, key]]);
	}
}

/** The last entry of that name, the one that `JSON.parse` keeps. */
export const member = (node, key) => node?.entries?.findLast(([name]) => name === key)?.[1];

/** The text of a node, exactly as received. */
export const slice = (text, node) => (node ? text.slice(node.start, node.end) : "");

/** Whether what `JSON.parse` returned is an object. */
export const isObject = value => value !== null && typeof value === "object" && !Array.isArray(value);
