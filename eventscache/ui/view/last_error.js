/** How long ago the last error of the streams in view was. */

import {byId, setText, show} from "../lib/dom.js";
import {ago} from "../lib/time.js";

export class LastError {
	#time = NaN; // Unix milliseconds

	reset() {
		this.#time = NaN;
		this.tick();
	}

	/** There was an error at a time; NaN is ignored. */
	add(time) {
		if (Number.isFinite(time) && !(time < this.#time)) this.#time = time;
		this.tick();
	}

	/** Once a second. */
	tick() {
		const known = Number.isFinite(this.#time);
		show(byId("last-error"), known);
		if (known) setText(byId("last-error").firstElementChild, `Last error ${ago(this.#time)}`);
	}
}
