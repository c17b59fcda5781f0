/** A JSON tree that builds only its open branches, so that an event of any size is shown immediately. */

import {el} from "../lib/dom.js";
import {children, slice, walk} from "../lib/json.js";
import {joinPath} from "../lib/path.js";
import {count, shortened, visible, whole} from "../lib/text.js";
import {tagOfJson} from "./mask_tag.js";
import {isSought, stringNodes, textNodes} from "./shown_text.js";

const PAGE = 200; // children shown first, and with each "Show more"
const OPEN_AT_FIRST = 60; // nodes: small branches are open at first
const LONGEST = 400; // characters of a value that is shown in full
const PER_FRAME = 400; // nodes that "Expand all" builds before the browser draws
const DEEPEST_INDENT = 24; // levels
const SUMMARY_KEYS = 4;
const MOST_SEARCHED = 10_000; // nodes

/** An object or an array in short form. */
export function nodeSummary(node) {
	if (node.kind === "array") return `[ ${count(node.items.length, "item")} ]`;
	const keys = node.entries.slice(0, SUMMARY_KEYS).map(([key]) => visible(String(key)).slice(0, 30));
	const more = node.entries.length > SUMMARY_KEYS ? `, … ${whole(node.entries.length)} fields` : "";
	return node.entries.length ? `{ ${keys.join(", ")}${more} }` : "{}";
}

export class Tree {
	#branches = [];
	#lines = new Map(); // by their paths
	#building = 0;

	/**
	 * @param text the JSON that `root` was parsed from
	 * @param choose called with `{path, node, raw}` of a value, its button, and a click or a key
	 */
	constructor(text, root, choose, {masked = false} = {}) {
		this.text = text;
		this.masked = masked;
		this.choose = choose;
		this.node = el("div.tree");
		this.#fill(this.node, root, []);
		let budget = OPEN_AT_FIRST;
		for (const branch of this.#branches) {
			budget -= children(branch.value).length;
			if (budget < 0) break;
			branch.open();
		}
	}

	/** Open the branches of the first field that has the text which is searched for. */
	revealSought(root) {
		for (const {node, keys} of walk(root, MOST_SEARCHED)) {
			const text = node.value ?? (children(node).length ? "" : slice(this.text, node));
			if (keys.length && (isSought(String(keys.at(-1))) || isSought(text))) {
				this.mark(keys);
				return;
			}
		}
	}

	/** Mark a field with words, if there are any, and open the branches that it is in. */
	mark(keys, words = "") {
		let parent = this.node;
		for (let depth = 1; depth <= keys.length; depth += 1) {
			const path = joinPath(keys.slice(0, depth));
			const more = () => parent.querySelector(":scope > .more");
			while (!this.#lines.has(path) && more()) more().click();
			const line = this.#lines.get(path);
			if (!line) return;
			if (depth < keys.length) line.open();
			else if (words) line.node.append(el("span.named", words));
			parent = line.inner;
		}
	}

	/** Open all branches, some in each frame. */
	expandAll() {
		const building = ++this.#building;
		let next = 0;
		const part = () => {
			if (building !== this.#building || (next && !this.node.isConnected)) return;
			for (let built = 0; next < this.#branches.length && built < PER_FRAME; next += 1) {
				built += 1 + Math.min(PAGE, children(this.#branches[next].value).length);
				this.#branches[next].open();
			}
			if (next < this.#branches.length) requestAnimationFrame(part);
		};
		part();
	}

	collapseAll() {
		this.#building += 1;
		for (const branch of this.#branches) branch.close();
	}

	/** Add lines for the children of a node from position `from`. */
	#fill(parent, node, keys, from = 0) {
		const all = children(node);
		for (const [key, child] of all.slice(from, from + PAGE)) {
			parent.append(this.#line(key, child, [...keys, key]));
		}
		const shown = from + PAGE;
		if (all.length > shown) {
			const more = () => {
				button.remove();
				this.#fill(parent, node, keys, shown);
			};
			const label = `Show ${whole(Math.min(PAGE, all.length - shown))} more of ${whole(all.length)}`;
			const button = el("button.more", {onclick: more}, label);
			parent.append(button);
		}
	}

	#line(key, node, keys) {
		const name = el("span.key", ...textNodes(String(key)));
		return children(node).length ? this.#branch(name, node, keys) : this.#leaf(name, node, keys);
	}

	#leaf(name, node, keys) {
		const raw = slice(this.text, node);
		const text = node.value ?? raw;
		const nodes = node.kind === "string" ? stringNodes : textNodes;
		const choose = event => this.choose({path: joinPath(keys), node, raw}, event.currentTarget, event);
		const value = el(
			`button.value.${node.kind}`,
			{"aria-haspopup": "menu", onclick: choose, onkeydown: choose},
			...[(this.masked && tagOfJson(raw)) || nodes(shortened(text, LONGEST))].flat(),
		);
		const line = el("div.line", name, value);
		this.#lines.set(joinPath(keys), {node: line});
		if (text.length > LONGEST) {
			const showAll = () => {
				value.replaceChildren(...nodes(text));
				all.remove();
			};
			const all = el("button.more", {onclick: showAll}, `Show all ${whole(text.length)} characters`);
			line.append(all);
		}
		return line;
	}

	#branch(name, node, keys) {
		const inner = el("div.children", {hidden: true});
		if (keys.length <= DEEPEST_INDENT) inner.classList.add("indented");
		const onclick = () => (inner.hidden ? branch.open() : branch.close());
		const toggle = el("button.toggle", {"aria-expanded": "false", onclick}, name, el("span.summary", nodeSummary(node)));
		const branch = {
			value: node,
			open: () => {
				if (!inner.hidden) return;
				if (!inner.firstChild) this.#fill(inner, node, keys);
				inner.hidden = false;
				toggle.ariaExpanded = "true";
			},
			close: () => {
				inner.hidden = true;
				toggle.ariaExpanded = "false";
			},
		};
		this.#branches.push(branch);
		this.#lines.set(joinPath(keys), {node: toggle, open: branch.open, inner});
		return el("div.branch", toggle, inner);
	}
}
