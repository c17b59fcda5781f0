/** Filtering by a cell of a row, or leaving out what has the same. */

import {MINUTE} from "../lib/time.js";
import {valuesAt} from "../model/columns.js";
import {serverStatus} from "../model/event.js";
import {without} from "../model/filter.js";
import {MOST_FOLLOWED} from "../model/streams.js";
import {toast} from "../view/toast.js";

export class CellFilters {
	/** `parts` has the `navigation`, the `streams` and the `errorTab`: of its examples, their list is filtered. */
	constructor(parts) {
		this.parts = parts;
	}

	/**
	 * @param cell its name: `status`, `time`, `type`, `id`, `stream`, the number of a pair of the summary, `=` and the path
	 *   of a column, or `@` and the stream of a mark
	 * @param excluded whether to leave out what has the same
	 */
	pick(row, cell, excluded) {
		if (!row?.source) return;
		const byName = {
			status: () => this.#status(serverStatus(row.status), excluded),
			time: () => this.#time(row.time, excluded),
			type: () => this.#type(row, excluded),
			stream: () => this.#stream(row.stream, excluded),
			preview: () => (excluded ? toast("A message cannot be left out") : this.#change({q: row.preview.slice(0, 200)})),
		};
		const field = fieldOf(row, cell);
		if (field) this.#field(field.path, field.value, excluded);
		else if (cell.startsWith("@")) this.#stream(cell.slice(1), excluded);
		else byName[cell]();
	}

	#change(change) {
		this.parts.navigation.change({...this.parts.errorTab.listFilter, ...change});
	}

	#status(status, excluded) {
		this.#change({status: excluded ? without(this.parts.navigation.filter.status, status) : status});
	}

	/** Show its minute, or only what came after it. */
	#time(time, excluded) {
		const start = Math.floor(time / MINUTE) * MINUTE;
		this.#change({range: "", ...(excluded ? {start: time + 1} : {start, end: start + MINUTE})});
	}

	#field(path, value, excluded) {
		if (path) this.parts.navigation.addField(path, excluded ? "!=" : "=", value, this.parts.errorTab.listFilter);
		else toast("This event has none");
	}

	#type({typeText, typePath}, excluded) {
		if (excluded || !typeText) this.#field(typePath, typeText, excluded);
		else this.#change({type: typeText});
	}

	#stream(stream, excluded) {
		const {navigation, streams} = this.parts;
		const others = streams.inView(navigation.filter).flatMap(({id}) => (id === stream ? [] : [id]));
		if (!excluded) this.#change({ids: [stream]});
		else if (!others.length || others.length > MOST_FOLLOWED) toast("There are too few or too many other streams");
		else this.#change({ids: others});
	}
}

/** The path and the value that a cell shows, if it shows a field. */
function fieldOf(row, cell) {
	if (cell === "id") return {path: row.idPath, value: row.eventId};
	if (!cell.startsWith("=")) return row.pairs[cell];
	const path = cell.slice(1);
	const [found] = valuesAt(row, [path]);
	return {path: found ? path : "", value: found?.text};
}
