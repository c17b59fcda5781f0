/** The last errors of the streams: reads them, and shows what is known of the errors in view. */

import {narrows} from "../model/filter.js";
import {drawLastError} from "../view/last_error.js";
import {findLastErrors} from "./find_event.js";

const NO_TIME = {range: "", start: NaN, end: NaN};

export class ErrorHint {
	#tab = ""; // whose errors are known
	#asked = 0;

	/** `parts` has the `filter`, `lastErrors`, `minuteCounts`, `picker` and `streams`. */
	constructor(parts) {
		this.parts = parts;
	}

	/** Read when the last error of each stream was; `again` if events were removed. */
	async read({again = false} = {}) {
		const {filter, lastErrors, streams} = this.parts;
		const {tab} = filter;
		if (again || tab !== this.#tab) lastErrors.reset();
		this.#tab = tab;
		this.draw();
		const asked = ++this.#asked;
		const rows = await findLastErrors(filter, streams.of(tab));
		if (asked !== this.#asked) return;
		for (const row of rows) lastErrors.add(row);
		this.draw();
	}

	/** Also once a second: the ages. */
	draw() {
		const {filter, lastErrors, minuteCounts, picker, streams} = this.parts;
		const inView = streams.inView(filter);
		const kept = inView.reduce((sum, {error_events: errors}) => sum + errors, 0);
		const last = filter.status === "error" ? NaN : lastErrors.newest(inView);
		drawLastError(last, kept, narrows({...filter, ...NO_TIME}) ? null : minuteCounts.hour());
		picker.tick();
	}
}
