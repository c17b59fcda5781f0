/** The lists that complete what is typed: a filter by a field, or the path of a column. */

import {byId, el, listen} from "../lib/dom.js";
import {visible} from "../lib/text.js";
import {paths, suggestions} from "../model/suggestions.js";

/** @param rows returns those of the list */
export function suggestFrom(rows) {
	for (const [id, find] of Object.entries({search: suggestions, column: paths})) {
		const input = byId(/** @type {"search"} */ (id));
		const draw = () =>
			input.list.replaceChildren(...find(input.value, rows()).map(value => el("option", {value, label: visible(value)})));
		listen(input, {focus: draw, input: draw});
	}
}
