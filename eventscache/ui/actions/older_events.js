/** Older events than those in the list: whether there are any, and reading them. */

import {fetchRows} from "../api/fetch.js";
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

	/** `parts` has the `filter`, the `batcher`, the `history`, the `rowBuffer` and the `streams`; `draw` shows what changed. */
	constructor(parts, draw) {
		this.parts = parts;
		this.draw = draw;
	}

	/** What the view reads from. */
	get #reads() {
		const {filter, history, streams} = this.parts;
		return {filter, history, streams: streams.inView(filter)};
	}

	#add(rows) {
		this.parts.rowBuffer.addOlder(rows);
		this.draw();
	}

	beginView() {
		this.#view += 1;
		this.#looking = this.#again = this.offered = this.readsOn = false;
	}

	/** Once the history is complete, look whether there are older events; while a filter finds few, read them too. */
	async look() {
		if (!this.parts.batcher.ready || this.parts.filter.tab === "errors") return;
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
		this.draw();
		if (this.#again) this.look();
	}

	/** Return whether to look again. */
	async #lookOnce(view) {
		const {filter, history, streams} = this.#reads;
		const {rows} = this.parts.rowBuffer;
		const [first] = history.streamsWithMore(filter, streams);
		this.offered &&= first !== undefined;
		if (!first) return false;
		this.readsOn = narrows(filter) && rows.length < FEW_ROWS && history.looked(filter, streams) < MOST_LOOKED;
		if (this.readsOn) {
			this.draw();
			const older = await this.#read();
			if (view === this.#view) this.#add(older);
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
			if (view === this.#view) this.#add(rows);
		} catch (fault) {
			toast(`Older events could not be read: ${fault.message}`);
		}
		this.look();
	}

	/** Return older rows, oldest first inside a stream. */
	async #read() {
		const {filter, history, streams} = this.#reads;
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
function fetchOlder(history, ids, filter, limit) {
	const before = history.oldestOf(ids[0]);
	return fetchRows(serverParameters({...filter, ids}, before === undefined ? {limit} : {before, limit}));
}
