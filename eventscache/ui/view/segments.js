/** The statuses, with how many rows of each the list has; one of them can be chosen, or left out. */

import {byId, listen, setText, show} from "../lib/dom.js";
import {whole} from "../lib/text.js";
import {serverStatus} from "../model/event.js";
import {selects} from "../model/filter.js";

export class Segments {
	#buttons = [...byId("status").children];

	/** @param choose takes a status, or "" for all */
	constructor(choose) {
		for (const button of this.#buttons) listen(button, {click: () => choose(button.dataset.status)});
	}

	/** Show the status of a filter. Incoming events are received or malformed: none was delivered or skipped yet. */
	set({tab, status}) {
		const incoming = tab === "incoming";
		for (const button of this.#buttons) {
			button.ariaPressed = String(isShown(button, status));
			if (button.matches(".success")) setText(button.firstElementChild, incoming ? "Received" : "Success");
			if (button.matches(".skip")) show(button, !incoming || status === "skip");
		}
	}

	/** Count the rows. Nothing is known of a status that is not shown. */
	count(rows, chosen) {
		const counts = {"": 0, success: 0, error: 0, skip: 0};
		for (const {status} of rows) {
			if (status === "gap") continue;
			counts[""] += 1;
			counts[serverStatus(status)] += 1;
		}
		for (const button of this.#buttons) {
			setText(button.lastElementChild, !chosen || isShown(button, chosen) ? whole(counts[button.dataset.status]) : "");
		}
	}
}

/** Whether a filter by status shows what a button stands for: all, or one status. */
const isShown = ({dataset}, chosen) => (dataset.status && chosen ? selects(chosen, dataset.status) : dataset.status === chosen);
