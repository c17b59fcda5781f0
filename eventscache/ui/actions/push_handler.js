/** Handles the messages of the push: events become rows, all other messages change what the page shows. */

import {readEvent, serverStatus} from "../model/event.js";

export class PushHandler {
	#gaps = 0;

	/**
	 * `parts` has the `filter`, the models and the views. `acts`: `ready()` the history is complete, for the first time in a
	 * view; `streamsChanged()`; `cleared()` events were removed; `unavailable()` the storage is
	 */
	constructor(parts, acts) {
		this.parts = parts;
		this.acts = acts;
	}

	handle({event, data}) {
		if (event === "event") {
			this.#addEvent(data);
			return;
		}
		let body;
		try {
			body = JSON.parse(data);
		} catch {
			return;
		}
		const handlers = {
			ready: () => this.#becomeReady(),
			counters: () => this.#showCounters(body),
			gap: () => this.#addGap(body),
			cleared: () => this.#clear(body.id),
			away: () => this.#becomeUnavailable(),
			back: () => this.parts.status.setStorageUnavailable(false),
		};
		if (Object.hasOwn(handlers, event)) handlers[event]();
	}

	#addEvent(source) {
		const {batcher, filter, history, minuteCounts, streams, toolbar, lastErrors} = this.parts;
		const read = readEvent(source);
		if (!read) return;
		const {row} = read;
		history.add(row);
		minuteCounts.add(row);
		toolbar.offerType(row.typeText);
		if (serverStatus(row.status) === "error") lastErrors.add(row);
		if (!streams.has(filter.tab, row.stream)) this.acts.streamsChanged();
		batcher.add(row);
	}

	/** Events of a stream are missing; without a number, its numbers began again at 1. */
	#addGap({id, at_most: atMost}) {
		const [stream, now] = [String(id), Date.now()];
		this.#gaps += 1;
		if (atMost === null) this.lose(stream);
		const key = `gap ${this.#gaps}`;
		this.parts.batcher.add({key, status: "gap", stream, atMost, time: now, timeUs: now * 1000, uid: "", seq: 0});
	}

	/** The storage has lost the events of a stream: rows, counts and exports are to agree. */
	lose(stream) {
		const lost = this.parts.rowBuffer.rows.filter(row => row.stream === stream && row.status !== "gap").length;
		this.#drop(stream);
		if (lost) this.parts.lossBanners.addLost(stream, lost);
	}

	#becomeReady() {
		this.parts.status.setStorageUnavailable(false); // this connection may not have sent that it was unavailable
		if (this.parts.batcher.becomeReady()) this.acts.ready();
	}

	#becomeUnavailable() {
		this.parts.status.setStorageUnavailable(true);
		this.acts.unavailable();
	}

	#showCounters({per_second: perSecond, last_minute_limited: limited, dropped, readable_within_ms: readableWithin}) {
		const {filter, lossBanners, status} = this.parts;
		status.setRate(perSecond);
		status.setReadableWithin(Number(readableWithin) || 0);
		if (filter.tab !== "errors") lossBanners.setLimited(Number(limited) || 0);
		lossBanners.setDropped(Number(dropped) || 0);
	}

	/** A stream was cleared, on this page or elsewhere. */
	#clear(id) {
		this.#drop(id);
		this.acts.cleared();
	}

	#drop(id) {
		const {batcher, history, minuteCounts, rowBuffer} = this.parts;
		batcher.dropStream(id);
		history.dropStream(id);
		rowBuffer.prune(row => row.stream !== id);
		minuteCounts.reset();
		for (const row of rowBuffer.rows.toReversed()) if (row.status !== "gap") minuteCounts.add(row);
	}
}
