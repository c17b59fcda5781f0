/** When the last error of each stream was, in Unix milliseconds. */

export class LastErrors {
	#times = new Map();

	/** There was an error; times that are not known, or older, change nothing. */
	add({stream, time}) {
		if (Number.isFinite(time) && !(time < this.of(stream))) this.#times.set(stream, time);
	}

	of(stream) {
		return this.#times.get(stream) ?? NaN;
	}

	/** The streams' events were removed. */
	reset() {
		this.#times.clear();
	}

	/** The last error of all these streams, or NaN. */
	newest(streams) {
		const known = streams.map(({id}) => this.of(id)).filter(Number.isFinite);
		return known.length ? known.reduce((one, other) => Math.max(one, other)) : NaN;
	}
}
