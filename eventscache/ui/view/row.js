/** The nodes of a row of the list. */

import {el, icon} from "../lib/dom.js";
import {count, shortened, visible} from "../lib/text.js";
import {clock} from "../lib/time.js";
import {valuesAt} from "../model/columns.js";
import {STATUSES} from "../model/event.js";
import {MASKED} from "../model/mask.js";
import {maskTag, tagOfJson} from "./mask_tag.js";
import {textNodes} from "./shown_text.js";
import {nodeSummary} from "./tree.js";

export const MOST_MARKS = 7;
const LONGEST = 300; // characters of a value

/** A text whose beginning, common to all, looks like an ellipsis; it is still read out and copied. */
function cutNodes(text, prefix) {
	const end = text.startsWith(prefix) ? prefix.length : 0;
	return [end > 0 && el("span.cut", ...textNodes(prefix)), ...textNodes(text.slice(end))];
}

const cell = (name, text, prefix = "") => el(`span.${name}`, {title: visible(text), "data-cell": name}, ...cutNodes(text, prefix));

const pairNodes = pairs =>
	pairs.flatMap(({words, path}, index) => [index ? "  " : "", el("span", {"data-cell": path && index}, ...textNodes(words))]);

/**
 * A value as received, in a column of one's own. There is no filter for an object.
 * @param {any} value of `valuesAt`
 */
function ownCell(path, value = {}, masked) {
	const {node, raw = "", text = "none"} = value;
	const isPlain = node && !node.entries && !node.items;
	const words = node ? (text.trim() ? text : raw) : "–";
	const shown = isPlain || !node ? textNodes(shortened(words, LONGEST)) : [visible(nodeSummary(node))];
	const title = visible(`${path}: ${shortened(text, LONGEST)}`);
	return el("span.own", {title, "data-cell": isPlain && `=${path}`}, ...[(masked && tagOfJson(raw)) || shown].flat());
}

function wordsOf(mark) {
	const [{stream, status, time}] = mark;
	return `${visible(stream)}: ${STATUSES[status]}, ${count(mark.length, "attempt")} in this view, ${clock(time)}`;
}

/** What a destination did last with an event; it opens that entry. */
function markNode(mark, prefix) {
	const [{stream, status, key}] = mark;
	const title = wordsOf(mark);
	const about = {title, role: "img", "aria-label": title, "data-cell": `@${stream}`, "data-entry": key};
	return el(`span.destination.${status}`, about, icon(status), el("span", ...cutNodes(stream, prefix)));
}

/** The marks of a row; of many, the others are counted. */
function markNodes(marks, prefix) {
	const [title, more] = [marks.slice(MOST_MARKS).map(wordsOf).join("\n"), marks.length - MOST_MARKS];
	return [
		...marks.slice(0, MOST_MARKS).map(mark => markNode(mark, prefix)),
		more > 0 && el("span.destination", {title}, `+${more}`),
	];
}

/** @param look the `own` columns, and what all types and all `streams` begin with */
export function eventRow(row, {own, types, streams}) {
	const summary = row.preview ? [el("span", {"data-cell": "preview"}, ...textNodes(row.preview))] : pairNodes(row.pairs);
	const values = valuesAt(row, own);
	return el(
		`div.row.${row.status}`,
		{role: "option"},
		el("span.status", {"data-cell": "status"}, icon(row.status), STATUSES[row.status]),
		el("span.time", {title: row.timestamp, "data-cell": "time"}, clock(row.time)),
		el("span.ago"),
		cell("type", row.type || "no type", types),
		cell("id", row.id || "–"),
		row.marks ? el("span.stream", ...markNodes(row.marks, streams)) : cell("stream", row.stream, streams),
		el("span.preview", row.masked && maskTag("masked", MASKED), ...summary),
		...own.map((path, at) => ownCell(path, values[at], row.masked)),
	);
}

export function gapRow(row) {
	const name = visible(row.stream);
	const text =
		row.atMost === null
			? `the event numbers of ${name} start again here, as after a restart of a memory storage; earlier events are no longer cached`
			: `up to ${count(Number(row.atMost) || 0, "event")} of ${name} are missing here: they left the cache before this page read them`;
	return el("div.row.gap", {role: "option"}, el("span.status", icon("gap"), "Gap"), el("span.preview", text));
}
