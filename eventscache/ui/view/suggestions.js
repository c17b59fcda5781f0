/** The list of the search that completes a filter by a field while it is typed. */

import {byId, el} from "../lib/dom.js";
import {visible} from "../lib/text.js";
import {suggestions} from "../model/suggestions.js";

/** @param rows returns those of the list */
export function suggestFilters(rows) {
	const draw = () => {
		const found = suggestions(byId("search").value, rows());
		byId("suggestions").replaceChildren(...found.map(value => el("option", {value, label: visible(value)})));
	};
	for (const name of ["focus", "input"]) byId("search").addEventListener(name, draw);
}
