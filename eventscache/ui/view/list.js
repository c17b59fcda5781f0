/** The list: only the rows in sight are nodes, placed on a canvas that is as high as all rows. */

import {el, listen, setText, show} from "../lib/dom.js";
import {visible} from "../lib/text.js";
import {ago} from "../lib/time.js";
import {foldedKey} from "../model/fold.js";
import {eventRow, gapRow, MOST_MARKS} from "./row.js";

const EXTRA_ROWS = 8; // above and below the rows in sight
const COMPACT_BELOW = 560; // pixels of width: a row takes two lines
const HEIGHT = 30;
const COMPACT_HEIGHT = 50;
const BUTTON_HEIGHT = 44; // pixels at the bottom that "Jump to latest" may cover

export class List {
	#rows = [];
	#nodes = new Map();
	#built = new WeakMap(); // the rows that nodes show
	#drawn = "";
	#serial = 0;
	#cell = "type"; // that is chosen in the active row
	#choosesCells = false;

	/** How rows are drawn: see `set`. */
	look = /** @type {any} */ ({});

	/**
	 * `choose` takes the key of a row or of an entry that is clicked, `pick` a cell too, in the row of the event that is
	 * `opened()` or with a key
	 */
	constructor(box, canvas, {choose, pick, opened, scrolled}) {
		this.box = box;
		this.canvas = canvas;
		this.opened = opened;
		this.active = "";
		listen(box, {
			scroll: () => {
				this.draw();
				scrolled();
			},
			click: ({target, altKey, ctrlKey, metaKey}) => {
				const key = target.closest(".row")?.dataset.key;
				if (!key || getSelection().toString()) return;
				const {cell, entry} = target.closest("[data-cell]")?.dataset ?? {};
				const inOpened = !entry && key === this.keyOf(opened());
				if (cell && (altKey || ctrlKey || metaKey || inOpened)) pick(key, cell, altKey);
				else choose(entry ?? key);
			},
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

	/** The row of a key, if the list has it. */
	find(key) {
		return this.#rows.find(row => row.key === key);
	}

	/** The key of the row that has an entry. */
	keyOf(entry) {
		return this.look.folded ? foldedKey(entry) : entry.key;
	}

	/** How many rows there are without gaps. */
	get size() {
		return this.#rows.filter(({status}) => status !== "gap").length;
	}

	/**
	 * Show these rows. `look` says whether they are `folded`, which columns are `hidden` and which are one's `own`, what all
	 * `types` and all `streams` begin with, and how many `marks` there may be.
	 */
	set(rows, look) {
		this.#rows = rows;
		const changed = JSON.stringify(look) !== JSON.stringify(this.look);
		this.look = look;
		if (changed) this.#changeLook();
		else this.draw(true);
	}

	#changeLook() {
		const {folded, hidden, own, marks} = this.look;
		const box = this.box.parentElement;
		const head = box.firstElementChild;
		box.classList.toggle("folded", folded);
		box.dataset.hidden = hidden;
		box.style.setProperty("--marks", String(Math.min(marks, MOST_MARKS + 1)));
		for (const node of head.querySelectorAll(".own")) node.remove();
		head.append(...own.map(path => el("span.own", {title: visible(path)}, visible(path))));
		this.drawAgain();
	}

	/** Draw all rows again: what is searched for has changed. */
	drawAgain() {
		this.#nodes.clear();
		this.canvas.replaceChildren();
		this.draw(true);
	}

	/** Make a row the active one, and scroll it into sight. */
	activate(key) {
		this.active = key;
		const {position, height, box} = this;
		if (position >= 0) {
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
		const cells = [...(this.#nodes.get(this.active)?.querySelectorAll("[data-cell]") ?? [])].filter(
			node => node.offsetWidth && node.offsetTop < this.height,
		);
		const at = cells.findIndex(({dataset}) => dataset.cell === this.#cell);
		const cell = cells[Math.max(0, Math.min(cells.length - 1, at + (this.#choosesCells ? step : 0)))];
		this.#choosesCells = true;
		this.#cell = cell?.dataset.cell ?? "type";
		this.draw(true);
		return cell?.title || (cell?.textContent ?? "");
	}

	/** The key of the entry whose mark is chosen, if one is. */
	get chosen() {
		return this.canvas.querySelector(".at")?.dataset.entry;
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
			const drawn = this.#nodes.get(row.key);
			const node = this.#built.get(drawn) === row ? drawn : this.#build(row);
			node.style.transform = `translateY(${position * height}px)`;
			node.ariaPosInSet = String(position + 1);
			node.ariaSetSize = String(this.#rows.length);
			node.ariaSelected = String(row.key === this.active);
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
		if (this.#choosesCells) active?.querySelector(`[data-cell="${CSS.escape(this.#cell)}"]`)?.classList.add("at");
		const key = this.opened()?.key;
		for (const node of canvas.querySelectorAll("[data-entry]")) node.classList.toggle("opened", node.dataset.entry === key);
		if (active) box.setAttribute("aria-activedescendant", active.id);
		else box.removeAttribute("aria-activedescendant");
		show(box, this.#rows.length > 0);
	}

	#build(row) {
		this.#nodes.get(row.key)?.remove();
		const node = row.status === "gap" ? gapRow(row) : eventRow(row, this.look);
		node.id = `row-${this.#serial++}`;
		node.dataset.key = row.key;
		if (row.fresh) node.classList.add("fresh");
		row.fresh = false; // it is tinted once
		this.#nodes.set(row.key, node);
		this.#built.set(node, row);
		this.canvas.append(node);
		return node;
	}
}
