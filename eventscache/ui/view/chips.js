/** The active filters, each with a button that removes it. */

import {byId, el, show} from "../lib/dom.js";
import {oneLine} from "../lib/text.js";
import {dateMinute} from "../lib/time.js";
import {writeValues} from "../model/field.js";
import {hasTime, RANGES} from "../model/filter.js";

const STATUSES = {error: "errors", success: "success", skip: "skipped"};
const SIGNS = {"!=": "≠", "=": "=", "~": "contains", ">": ">", "<": "<"};
const NO_TIME = {range: "", start: NaN, end: NaN};

function timeWords({range, start, end}) {
	if (range) return RANGES[range][0];
	const from = Number.isFinite(start) ? `from ${dateMinute(start)}` : "";
	const to = Number.isFinite(end) ? `to ${dateMinute(end)}` : "";
	return `${from} ${to} UTC`.trim();
}

function chipsOf(filter) {
	const chips = [];
	const received = filter.tab === "incoming" && filter.status === "success";
	if (filter.status) chips.push([received ? "received" : STATUSES[filter.status], {status: ""}]);
	if (filter.type) chips.push([`type = ${filter.type}`, {type: ""}]);
	if (filter.q) chips.push([`“${filter.q}”`, {q: ""}]);
	if (filter.group) chips.push(["one error group", {group: ""}]);
	if (filter.follow) chips.push(["followed events", {follow: ""}]);
	if (hasTime(filter)) chips.push([timeWords(filter), NO_TIME]);
	for (const field of filter.fields) {
		const words = `${field.negated ? "not " : ""}${field.path} ${SIGNS[field.op]} ${writeValues(field)}`;
		chips.push([words, {fields: filter.fields.filter(other => other !== field)}]);
	}
	return chips;
}

/** @param change called with the change that a button makes */
export function drawChips(filter, change) {
	const chips = chipsOf(filter).map(([words, without]) => {
		const text = oneLine(words, 80);
		const act = () => change(without);
		return el("li", {}, el("button.chip", {"aria-label": `Remove the filter ${text}`, onclick: act}, text));
	});
	if (chips.length > 1) {
		const act = () => change({status: "", type: "", q: "", group: "", follow: "", fields: [], ...NO_TIME});
		chips.push(el("li", {}, el("button.link", {onclick: act}, "Clear all filters")));
	}
	byId("chips").replaceChildren(...chips);
	show(byId("chips"), chips.length > 0);
}
