/** The list: only the rows in sight are nodes, placed on a canvas that is as high as all rows. */

import {el, icon, setText, show} from "../lib/dom.js";
import {count, visible} from "../lib/text.js";
import {ago, clock} from "../lib/time.js";
import {STATUSES} from "../model/event.js";
import {MASKED} from "../model/mask.js";
import {maskTag} from "./mask_tag.js";
import {textNodes} from "./shown_text.js";

const EXTRA_ROWS = 8; // above and below the rows in sight
const COMPACT_BELOW = 560; // pixels of width: a row takes two lines
const HEIGHT = 30;
const COMPACT_HEIGHT = 50;
const BUTTON_HEIGHT = 44; // pixels at the bottom that "Jump to latest" may cover

export class List {
	#rows = [];
	#nodes = new Map();
	#drawn = "";
	#serial = 0;
	#cell = "type"; // that is chosen in the active row
	#choosesCells = false;

	/** `choose` takes the key of a row that is clicked, `pick` a cell of it too, in the row of `openKey()` or with a key. */
	constructor(box, canvas, {choose, pick, openKey, scrolled}) {
		this.box = box;
		this.canvas = canvas;
		this.active = "";
		box.addEventListener(
			"scroll",
			() => {
				this.draw();
				scrolled();
			},
			{passive: true},
		);
		box.addEventListener("click", event => {
			const key = event.target.closest(".row")?.dataset.key;
			if (!key || getSelection().toString()) return;
			const cell = event.target.closest("[data-cell]")?.dataset.cell;
			const picked = cell && (event.altKey || event.ctrlKey || event.metaKey || key === openKey());
			if (picked) pick(key, cell, event.altKey);
			else choose(key);
		});
		new ResizeObserver(() => this.#resized()).observe(box.parentElement);
		this.#resized();
	}

	#resized() {
		const compact = this.box.parentElement.clientWidth < COMPACT_BELOW;
		this.height = compact ? COMPACT_HEIGHT : HEIGHT;
		this.box.parentElement.classList.toggle("compact", compact);
		this.draw(true);
	}

	/** Whether the newest rows are out of sight. */
	get scrolledDown() {
		return this.box.scrollTop > this.height;
	}

	/** The position of the active row, or -1. */
	get position() {
		return this.#rows.findIndex(row => row.key === this.active);
	}

	/** The row at a position, or the nearest one. */
	at(position) {
		return this.#rows[Math.max(0, Math.min(position, this.#rows.length - 1))];
	}

	/** Show these rows. */
	set(rows) {
		this.#rows = rows;
		this.draw(true);
	}

	/** Draw all rows again: what is searched for has changed. */
	drawAgain() {
		this.#nodes.clear();
		this.canvas.replaceChildren();
		this.draw(true);
	}

	/** Make a row the active one, and scroll it into sight. */
	activate(key, {reveal = true} = {}) {
		this.active = key;
		const {position, height, box} = this;
		if (reveal && position >= 0) {
			const top = position * height;
			const visibleHeight = box.clientHeight - BUTTON_HEIGHT;
			if (top < box.scrollTop) box.scrollTop = top;
			else if (top + height > box.scrollTop + visibleHeight) box.scrollTop = top + height - visibleHeight;
		}
		this.draw(true);
	}

	/** How many rows are in sight. */
	get page() {
		return Math.max(1, Math.floor(this.box.clientHeight / this.height) - 1);
	}

	/** The name of the chosen cell. */
	get cell() {
		return this.#cell;
	}

	/** Choose another cell of the active row; return its words. */
	moveCell(step) {
		const cells = [...(this.#nodes.get(this.active)?.querySelectorAll("[data-cell]") ?? [])].filter(node => node.offsetWidth);
		const at = cells.findIndex(({dataset}) => dataset.cell === this.#cell);
		const cell = cells[Math.max(0, Math.min(cells.length - 1, at + (this.#choosesCells ? step : 0)))];
		this.#choosesCells = true;
		this.#cell = cell?.dataset.cell ?? "type";
		this.draw(true);
		return cell?.textContent ?? "";
	}

	focus() {
		this.box.focus({preventScroll: true});
	}

	toTop() {
		this.box.scrollTop = 0;
	}

	/** Draw the rows in sight, if they changed or `always`. */
	draw(always = false) {
		const {height, box, canvas} = this;
		const first = Math.max(0, Math.floor(box.scrollTop / height) - EXTRA_ROWS);
		const last = Math.min(this.#rows.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + EXTRA_ROWS);
		const drawn = `${first}-${last}`;
		if (!always && drawn === this.#drawn) return;
		this.#drawn = drawn;
		canvas.style.height = `${this.#rows.length * height}px`;
		const now = Date.now();
		const kept = new Set();
		for (let position = first; position < last; position += 1) {
			const row = this.#rows[position];
			kept.add(row.key);
			const node = this.#nodes.get(row.key) ?? this.#build(row);
			node.style.transform = `translateY(${position * height}px)`;
			node.setAttribute("aria-posinset", position + 1);
			node.setAttribute("aria-setsize", this.#rows.length);
			node.setAttribute("aria-selected", row.key === this.active);
			if (row.status !== "gap") setText(node.children[2], ago(row.time, now));
		}
		for (const [key, node] of this.#nodes) {
			if (!kept.has(key)) {
				node.remove();
				this.#nodes.delete(key);
			}
		}
		const active = this.#nodes.get(this.active);
		for (const node of canvas.querySelectorAll(".at")) node.classList.remove("at");
		if (this.#choosesCells) active?.querySelector(`[data-cell="${this.#cell}"]`)?.classList.add("at");
		if (active) box.setAttribute("aria-activedescendant", active.id);
		else box.removeAttribute("aria-activedescendant");
		show(box, this.#rows.length > 0);
	}

	#build(row) {
		const node = row.status === "gap" ? gapRow(row) : eventRow(row);
		node.id = `row-${this.#serial++}`;
		node.dataset.key = row.key;
		if (row.fresh) node.classList.add("fresh");
		row.fresh = false; // it is tinted once
		this.#nodes.set(row.key, node);
		this.canvas.append(node);
		return node;
	}
}

const cell = (name, text) => el(`span.${name}`, {title: text, "data-cell": name}, ...textNodes(text));

const pairNodes = pairs =>
	pairs.flatMap(({words, path}, index) => [index ? "  " : "", el("span", {"data-cell": path && index}, ...textNodes(words))]);

function eventRow(row) {
	const summary = row.preview ? [el("span", {"data-cell": "preview"}, ...textNodes(row.preview))] : pairNodes(row.pairs);
	return el(
		`div.row.${row.status}`,
		{role: "option"},
		el("span.status", {"data-cell": "status"}, icon(row.status), STATUSES[row.status]),
		el("span.time", {title: row.timestamp, "data-cell": "time"}, clock(row.time)),
		el("span.ago"),
		cell("type", row.type || "no type"),
		cell("id", row.id || "–"),
		cell("stream", visible(row.stream)),
		el("span.preview", {}, row.masked && maskTag("masked", MASKED), ...summary),
	);
}

function gapRow(row) {
	const name = visible(row.stream);
	const text =
		row.atMost === null
			? `the event numbers of ${name} start again here, as after a restart of a memory storage; earlier events are no longer cached`
			: `up to ${count(Number(row.atMost) || 0, "event")} of ${name} are missing here: they left the cache before this page read them`;
	return el("div.row.gap", {role: "option"}, el("span.status", {}, icon("gap"), "Gap"), el("span.preview", {}, text));
}
