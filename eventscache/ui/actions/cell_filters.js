/** Filtering by a cell of a row, or leaving out what has the same. */

import {MINUTE} from "../lib/time.js";
import {serverStatus} from "../model/event.js";
import {MOST_FOLLOWED} from "../model/streams.js";
import {toast} from "../view/toast.js";

const NOT_EXCLUDED = "Only types, ids, streams and fields can be left out";

export class CellFilters {
	/** `parts` has the `navigation` and the `streams`. */
	constructor(parts) {
		this.parts = parts;
	}

	/**
	 * @param cell its name: `status`, `time`, `type`, `id`, `stream`, or the number of a pair of the summary
	 * @param excluded whether to leave out what has the same
	 */
	pick(row, cell, excluded) {
		if (!row?.source) return;
		const byName = {type: () => this.#type(row, excluded), stream: () => this.#stream(row.stream, excluded)};
		const field = cell === "id" ? {path: row.idPath, value: row.eventId} : row.pairs[cell];
		if (byName[cell]) byName[cell]();
		else if (field) this.#field(field.path, field.value, excluded);
		else if (excluded) toast(NOT_EXCLUDED);
		else this.parts.navigation.change(changeOf(row, cell));
	}

	#field(path, value, excluded) {
		if (path) this.parts.navigation.addField(path, excluded ? "!=" : "=", value);
		else toast("This event has none");
	}

	#type({typeText, typePath}, excluded) {
		if (excluded || !typeText) this.#field(typePath, typeText, excluded);
		else this.parts.navigation.change({type: typeText});
	}

	#stream(stream, excluded) {
		const {navigation, streams} = this.parts;
		const others = streams.inView(navigation.filter).flatMap(({id}) => (id === stream ? [] : [id]));
		if (!excluded) navigation.change({ids: [stream]});
		else if (!others.length || others.length > MOST_FOLLOWED) toast("There are too few or too many other streams");
		else navigation.change({ids: others});
	}
}

function changeOf({status, time, preview}, cell) {
	if (cell === "status") return {status: serverStatus(status)};
	if (cell === "preview") return {q: preview.slice(0, 200)};
	const start = Math.floor(time / MINUTE) * MINUTE;
	return {range: "", start, end: start + MINUTE};
}
