/** Older events than those in the list: whether there are any, and reading them. */

import {fetchEvents} from "../api/fetch.js";
import {readEvent} from "../model/event.js";
import {narrows, serverParameters} from "../model/filter.js";
import {MOST_ROWS} from "../model/row_buffer.js";
import {toast} from "../view/toast.js";

const MOST_STREAMS = 20; // that are read at a time
const FEW_ROWS = 30; // with fewer the page reads on by itself,
const MOST_LOOKED = 2000; // in so many streams

export class OlderEvents {
	#view = 0;
	#looking = false;
	#again = false;

	/** Whether there are older events for sure, and whether the page is reading on by itself. */
	offered = false;
	readsOn = false;

	/** `acts`: `view()` returns the filter, the streams in view and the rows; `add(rows)` takes older ones; `draw()`. */
	constructor(history, acts) {
		this.history = history;
		this.acts = acts;
	}

	beginView() {
		this.#view += 1;
		this.#looking = this.#again = this.offered = this.readsOn = false;
	}

	/** Look whether there are older events; while a filter finds few, read them too. */
	async look() {
		this.#again = this.#looking;
		if (this.#looking) return;
		this.#looking = true;
		const view = this.#view;
		try {
			while (await this.#lookOnce(view));
		} catch {
			// the push says what is wrong
		}
		if (view !== this.#view) return;
		this.#looking = this.readsOn = false;
		this.acts.draw();
		if (this.#again) this.look();
	}

	/** Return whether to look again. */
	async #lookOnce(view) {
		const {filter, streams, rows} = this.acts.view();
		const {history} = this;
		const [first] = history.streamsWithMore(filter, streams);
		this.offered &&= first !== undefined;
		if (!first) return false;
		this.readsOn = narrows(filter) && rows.length < FEW_ROWS && history.looked(filter, streams) < MOST_LOOKED;
		if (this.readsOn) {
			this.acts.draw();
			const older = await this.#read();
			if (view === this.#view) this.acts.add(older);
		} else if (history.isSure(first, filter)) {
			this.offered = true;
			return false;
		} else {
			const found = await fetchOlder(history, [first.id], filter, 1);
			if (view === this.#view) history.setMore(first, found.length > 0);
		}
		return view === this.#view;
	}

	/** Read older events, as somebody asks for them. */
	async load() {
		const view = this.#view;
		try {
			const rows = await this.#read();
			if (view === this.#view) this.acts.add(rows);
		} catch (fault) {
			toast(`Older events could not be read: ${fault.message}`);
		}
		this.look();
	}

	/** Return older rows, oldest first inside a stream. */
	async #read() {
		const {history} = this;
		const {filter, streams} = this.acts.view();
		const ids = history.streamsWithMore(filter, streams).slice(0, MOST_STREAMS).map(({id}) => id);
		const limit = Math.ceil(MOST_ROWS / Math.max(1, ids.length));
		const begun = ids.filter(id => history.oldestOf(id) !== undefined);
		const unread = ids.filter(id => history.oldestOf(id) === undefined);
		const view = this.#view;
		const older = [];
		for (const some of [unread, ...begun.map(id => [id])]) {
			const rows = some.length ? await fetchOlder(history, some, filter, limit) : [];
			if (view !== this.#view) return [];
			for (const row of rows) history.add(row);
			for (const id of some) if (rows.filter(({stream}) => stream === id).length < limit) history.complete(id);
			older.push(...rows);
		}
		return older.reverse();
	}
}

/** Return the rows before those that were read: of several streams that were not read, or of one. */
async function fetchOlder(history, ids, filter, limit) {
	const parameters = serverParameters({...filter, ids});
	const oldest = history.oldestOf(ids[0]);
	if (oldest !== undefined) parameters.set("before", String(oldest));
	parameters.set("limit", String(limit));
	const sources = await fetchEvents(parameters);
	return sources.map(source => readEvent(source)?.row).filter(Boolean);
}
