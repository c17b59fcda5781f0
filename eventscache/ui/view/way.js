/** The way of an event as a time line: each line leads to its entry. */

import {el, icon} from "../lib/dom.js";
import {count, oneLine, visible} from "../lib/text.js";
import {clock, duration} from "../lib/time.js";
import {STATUSES} from "../model/event.js";

const MOST_LINES = 100;
const INFERRED = "Other events of the same API key went there";

/** What a line says besides its status, stream and times. */
function notes({attempt, since, error, skip, response, timestamp, mayBeGone}) {
	return [
		attempt !== undefined && `Attempt ${attempt}`,
		Number.isFinite(since) && `${duration(since)} after the one before`,
		response?.status && `Response ${response.status}`,
		error || skip,
		timestamp === undefined && (mayBeGone ? `${INFERRED}; its entry may have left the cache` : INFERRED),
	].filter(Boolean);
}

/** How long after the event was received, and when; or how long it has been pending. */
function times({passed, waiting, timestamp}) {
	if (timestamp === undefined) return [el("span.passed", Number.isFinite(waiting) && `for ${duration(waiting)}`)];
	return [
		el("span.passed", {title: "Since it was received"}, Number.isFinite(passed) && `+ ${duration(passed)}`),
		el("time", {dateTime: timestamp, title: timestamp}, clock(Date.parse(timestamp))),
	];
}

function lineNode(line, uid) {
	const {status, stream, href} = line;
	const note = notes(line).join(" · ");
	return el(
		`li.${status}`,
		{"aria-current": line.uid === uid && "step"},
		icon(status),
		el("a", {href}, el("b", STATUSES[status]), ` ${visible(stream)}`),
		...times(line),
		note && el("p.note", {title: visible(note)}, oneLine(note, 200)),
	);
}

/** Return the nodes of a way; a step that is only inferred has no timestamp. `uid` is that of the entry which is open. */
export function wayNodes(lines, uid) {
	const more = lines.length - MOST_LINES;
	return [
		el("h3", {id: "way-title"}, "Way of the event"),
		el("ol", ...lines.slice(0, MOST_LINES).map(line => lineNode(line, uid))),
		more > 0 && el("p.hint", `${count(more, "more step")} not shown`),
	].filter(Boolean);
}
