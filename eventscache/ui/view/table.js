/** Tables of texts. */

import {el} from "../lib/dom.js";
import {whole} from "../lib/text.js";
import {textNodes} from "./shown_text.js";

const PAGE = 200; // rows shown first, and with each "Show more"

/**
 * Return a table of rows of texts; the first text of a row is its name.
 * @param {(text: string, name: string, index: number) => any[]} shown returns the nodes of a cell for a text, with the name of its row and the number of the cell
 */
export function rowsTable(heads, rows, shown = text => textNodes(text)) {
	const body = el("tbody");
	const button = el("button.more", {onclick: () => add()});
	const add = () => {
		const built = body.children.length;
		body.append(
			...rows
				.slice(built, built + PAGE)
				.map(([name, ...values]) =>
					el("tr", el("th", {scope: "row"}, ...textNodes(name)), ...values.map((value, index) => el("td", ...shown(value, name, index)))),
				),
		);
		const left = rows.length - body.children.length;
		button.textContent = `Show ${whole(Math.min(PAGE, left))} more of ${whole(rows.length)}`;
		button.hidden = left === 0;
	};
	add();
	return el(
		"div.table",
		el("table", el("thead", el("tr", ...heads.map(head => el("th", {scope: "col"}, head)))), body),
		button,
	);
}
