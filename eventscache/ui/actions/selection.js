/** The active row and the open event. While somebody reads one, new rows are held back. */

import {CLOSED, linkTo} from "../model/filter.js";
import {toast} from "../view/toast.js";
import {copy} from "./copy.js";
import {findOpenEvent} from "./find_event.js";

export class Selection {
	/**
	 * @param parts the `filter`, `rowBuffer`, `list` and `detail`
	 * @param acts `draw()`; `opened` takes what the address says of the open event
	 */
	constructor(parts, acts) {
		this.parts = parts;
		this.rowBuffer = parts.rowBuffer;
		this.list = parts.list;
		this.detail = parts.detail;
		this.acts = acts;
	}

	/** The entry that is open, or that the active row opens. */
	get row() {
		return this.#entry(this.detail.key || this.list.active);
	}

	#entry(key) {
		const row = this.list.find(key) ?? this.rowBuffer.find(key);
		return row?.lead ?? row;
	}

	/** @param key of a row of the list, or of an entry */
	open(key) {
		const row = this.#entry(key);
		if (!row || row.status === "gap") return;
		if (!this.rowBuffer.heldBy) this.rowBuffer.hold("open");
		this.list.activate(this.list.keyOf(row));
		this.show(row);
		this.acts.draw();
	}

	/** Open an event that may not be in the list. */
	show(row) {
		this.detail.open(row);
		this.acts.opened(linkTo(row));
	}

	/** Open the event that the address names: from the rows, or else from the cache. */
	async openOfFilter() {
		const {uid} = this.parts.filter;
		if (!uid || this.detail.uid === uid) return;
		const shown = this.rowBuffer.rows.find(row => row.uid === uid);
		if (shown) {
			this.open(shown.key);
			return;
		}
		const row = await findOpenEvent(this.parts.filter);
		if (this.parts.filter.uid !== uid) return; // another event was opened meanwhile
		if (row) this.show(row);
		if (row?.uid !== uid) toast(`The linked event is no longer cached${row ? ". This is another entry of it" : ""}`);
	}

	/** Close the event. New rows are shown again, unless something else holds them back. */
	close() {
		if (!this.detail.key) return;
		this.detail.close();
		this.acts.opened(CLOSED);
		this.list.focus();
		if (this.rowBuffer.heldBy === "open") this.rowBuffer.hold("scroll");
		this.scrolled();
		this.acts.draw();
	}

	/** Move the active row; if an event is open, open the next one. */
	move(step) {
		if (!this.rowBuffer.rows.length) return;
		const from = this.list.position;
		const {key} = this.list.at(from < 0 && Math.abs(step) === 1 ? 0 : Math.max(from, 0) + step);
		if (this.detail.key) {
			this.open(key);
			return;
		}
		if (!this.rowBuffer.heldBy && from >= 0) this.rowBuffer.hold("scroll");
		this.list.activate(key);
		this.acts.draw();
	}

	/** Hold new rows back while the newest are out of sight, and show them afterwards. */
	scrolled() {
		const {heldBy} = this.rowBuffer;
		if (this.list.scrolledDown && !heldBy) this.rowBuffer.hold("scroll");
		else if (!this.list.scrolledDown && heldBy === "scroll") this.rowBuffer.release();
		else return;
		this.acts.draw();
	}

	focus() {
		this.list.focus();
	}

	togglePause() {
		if (this.rowBuffer.heldBy === "button") {
			this.jumpToLatest();
			return;
		}
		this.rowBuffer.hold("button");
		this.acts.draw();
	}

	/** Show the newest rows, and no longer hold new ones back. */
	jumpToLatest() {
		this.rowBuffer.release();
		this.list.toTop();
		this.acts.draw();
	}

	copyJson() {
		if (this.detail.key) copy(this.detail.json, "JSON");
		else if (this.row?.source) copy(this.row.source, "JSON");
	}
}
