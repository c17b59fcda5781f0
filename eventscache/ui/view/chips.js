/** The active filters that have no control of their own, each with a button that removes it. */

import {byId, el, show} from "../lib/dom.js";
import {oneLine} from "../lib/text.js";
import {writeValues} from "../model/field.js";

const SIGNS = {"!=": "≠", "=": "=", "~": "contains", ">": ">", "<": "<"};

function chipsOf(filter) {
	const chips = [];
	if (filter.group) chips.push(["one error group", {group: ""}]);
	if (filter.follow) chips.push(["followed events", {follow: ""}]);
	for (const field of filter.fields) {
		const words = `${field.negated ? "not " : ""}${field.path} ${SIGNS[field.op]} ${writeValues(field)}`;
		chips.push([words, {fields: filter.fields.filter(other => other !== field)}]);
	}
	return chips;
}

/** @param change called with the change that a button makes */
export function drawChips(filter, change) {
	const chips = chipsOf(filter).map(([words, without]) => {
		const text = oneLine(words, 1000);
		const act = () => change(without);
		return el("li", el("button.chip", {"aria-label": `Remove the filter ${text}`, onclick: act}, text));
	});
	byId("chips").replaceChildren(...chips);
	show(byId("chips"), chips.length > 0);
}
