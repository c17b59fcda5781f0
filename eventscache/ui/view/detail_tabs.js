/** The contents of the four tabs of an event: original, result, diff and raw. */

import {el} from "../lib/dom.js";
import {member, parse, pretty, slice} from "../lib/json.js";
import {lookUp, splitPath} from "../lib/path.js";
import {count, visible, whole} from "../lib/text.js";
import {columns, differences} from "../model/diff.js";
import {namedFields} from "../model/named_fields.js";
import {tagOfJson} from "./mask_tag.js";
import {openMenu} from "./menu.js";
import {jsonNodes, textNodes} from "./shown_text.js";
import {rowsTable} from "./table.js";
import {Tree} from "./tree.js";

const DIFFERENCES = {
	changed: ["Changed", ["Field", "Original", "Result"]],
	retyped: ["Same value, other type", ["Field", "Original", "Result"]],
	renamed: ["Renamed", ["In the original", "In the result", "Value"]],
	added: ["Added", ["Field", "Result"]],
	left: ["Left out", ["Field", "Original"]],
	same: ["Unchanged", ["Field", "Value"]],
};

let prettyRaw = false; // for all events, until somebody wants them as sent

export class DetailTabs {
	#row;
	#root;
	#acts;

	/** `acts` has `filter(path, op, value)`, `follow(path, value)`, which returns choices, and `copy(text, what)`. */
	constructor(row, root, acts) {
		this.#row = row;
		this.#root = root;
		this.#acts = acts;
	}

	original() {
		const original = member(this.#root, "original");
		if (original) return this.#tree(original, {filters: true, error: member(this.#root, "error")?.value});
		const malformed = member(this.#root, "malformed")?.value;
		if (malformed)
			return [el("p.hint", "This is not valid JSON. The part that was kept:"), el("pre", ...textNodes(malformed, {lines: true}))];
		return [el("p.hint", "This record has no original.")];
	}

	#tree(node, {filters = false, error = ""} = {}) {
		const {source, masked} = this.#row;
		const tree = new Tree(source, node, (value, at, event) => this.#pick(value, at, event, filters), {masked});
		for (const keys of error ? namedFields(error, node) : []) tree.mark(keys, "named by the error");
		tree.revealSought(node);
		const button = (label, act) => el("button.quiet", {onclick: act}, label);
		return [
			el(
				"p.panel-tools",
				button("Expand all", () => tree.expandAll()),
				button("Collapse all", () => tree.collapseAll()),
			),
			tree.node,
		];
	}

	/** A value of the event in a table. */
	#shown = raw => this.#tag(raw) ?? jsonNodes(raw);

	#tag(raw) {
		const tag = this.#row.masked && tagOfJson(raw);
		return tag ? [tag] : null;
	}

	/** Open the menu of a value that is clicked; Alt and a click, and the keys f and x, filter by it at once. */
	#pick({path, node, raw}, at, event, filters = false) {
		const value = node.kind === "string" ? node.value : raw;
		const filtered = filters && this.#isFound(path, value);
		const pressed = event.ctrlKey || event.metaKey ? "" : event.key;
		const op = {f: "=", x: "!="}[event.type === "keydown" ? pressed : event.altKey && "x"];
		if (filtered && op) {
			event.stopPropagation();
			this.#acts.filter(path, op, value);
		}
		if (event.type === "keydown" || (filtered && op)) return;
		const filtering = [
			["Filter by this", () => this.#acts.filter(path, "=", value)],
			["Exclude this", () => this.#acts.filter(path, "!=", value)],
		];
		openMenu(at, [
			...(filtered ? filtering : []),
			["Copy value", () => this.#acts.copy(value, "Value")],
			["Copy path", () => this.#acts.copy(path, "Path")],
			...(filtered ? this.#acts.follow(path, value) : []),
		]);
	}

	/** Whether the server finds a value of the event at a path: what the original has there comes first. */
	#isFound(path, value) {
		const keys = splitPath(path);
		const node = keys && lookUp(member(this.#root, "original"), keys);
		return Boolean(keys) && (!node || (node.value ?? slice(this.#row.source, node)) === value);
	}

	/** The value of a column, which can become a filter as the values of a tree can. */
	#column = (raw, name, index) => {
		if (index !== 1 || !raw) return this.#shown(raw);
		const node = parse(raw);
		const pick = event => this.#pick({path: name, node, raw}, event.currentTarget, event, true);
		return [el(`button.value.${node.kind}`, {"aria-haspopup": "menu", onclick: pick, onkeydown: pick}, ...this.#shown(raw))];
	};

	result() {
		const success = member(this.#root, "success");
		if (!success) return [el("p.hint", this.#noResult())];
		const {source} = this.#row;
		const table = columns(source, success);
		if (table) {
			const sorted = table.toSorted((a, b) => (a.field < b.field ? -1 : 1));
			return [
				rowsTable(["Field", "Type", "Value"], sorted.map(({field, type, value}) => [field, type, value]), this.#column),
			];
		}
		return member(success, "url") || member(success, "method") ? this.#http(success) : this.#tree(success, {filters: true});
	}

	#noResult() {
		const words = {
			error: "The destination stored nothing. The error is above.",
			malformed: "Text that is not JSON is not sent to a destination.",
			skip: "The event was skipped. The reason is above.",
			received: "Incoming events have no result yet. The results are under Processed.",
		};
		return words[this.#row.status] ?? "There is no result yet.";
	}

	#http(success) {
		const headers = member(success, "headers")?.entries ?? [];
		const body = member(success, "body")?.value ?? "";
		const {source} = this.#row;
		let shown = el("pre", ...textNodes(body, {lines: true}));
		try {
			shown = new Tree(body, parse(body), (value, at, event) => this.#pick(value, at, event), {masked: this.#row.masked}).node;
		} catch {
			// not JSON: shown as text
		}
		return [
			el(
				"p.request",
				el("b", visible(member(success, "method")?.value ?? "GET")),
				" ",
				visible(member(success, "url")?.value ?? ""),
			),
			headers.length
				? rowsTable(
						["Header", "Value"],
						headers.map(([name, node]) => [name, slice(source, node)]),
						raw => this.#tag(raw) ?? textNodes(raw.startsWith('"') ? JSON.parse(raw) : raw),
					)
				: "",
			body ? el("h3", "Body") : "",
			body ? shown : "",
		];
	}

	diff() {
		const found = differences(this.#row.source, member(this.#root, "original"), member(this.#root, "success"));
		if (!found) return [el("p.hint", `There is nothing to compare. ${this.#noResult()}`)];
		return Object.entries(DIFFERENCES)
			.filter(([kind]) => found[kind].length)
			.map(([kind, [label, heads]]) => {
				const title = `${label}, ${count(found[kind].length, "field")}`;
				return el(
					`details.difference.${kind}`,
					{open: kind !== "same"},
					el("summary", title),
					rowsTable(heads, found[kind], this.#shown),
				);
			});
	}

	raw() {
		const {source} = this.#row;
		const text = el("pre.raw");
		const button = el("button.quiet", {onclick: () => draw(!prettyRaw)}, "Pretty");
		const draw = chosen => {
			prettyRaw = chosen;
			button.ariaPressed = String(chosen);
			text.replaceChildren(...textNodes(chosen && this.#root ? pretty(source) : source, {lines: true}));
		};
		draw(prettyRaw);
		return [
			el(
				"p.panel-tools",
				el("span.hint", `${whole(source.length)} characters, as the API returns them`),
				this.#root && button,
				el("button.quiet", {onclick: () => this.#acts.copy(source, "Record")}, "Copy all"),
			),
			text,
		];
	}
}
