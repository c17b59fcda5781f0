/** Events as rows: read from the text that the server sends. */

import {member, parse, slice} from "../lib/json.js";
import {lookUp} from "../lib/path.js";
import {oneLine} from "../lib/text.js";
import {microseconds} from "../lib/time.js";
import {summary} from "./summary.js";

export const STATUSES = {
	success: "Success",
	error: "Error",
	skip: "Skipped",
	malformed: "Malformed",
	pending: "Pending",
	received: "Received",
};

const isObject = value => value !== null && typeof value === "object" && !Array.isArray(value);
const text = value => (typeof value === "string" ? value : "");

/** Jitsu's rule, with more statuses: an event that is only received, or not delivered yet, is not a success. */
function statusOf(event) {
	if (event.malformed) return "malformed";
	if (event.error) return "error";
	if (event.skip) return "skip";
	if (event.success) return "success";
	return event.destination_id ? "pending" : "received";
}

/** Return a function that reads a number of an original exactly as received: 1.10 is not 1.1. It parses when called. */
function numberReader(source) {
	let original;
	return keys => {
		original ??= member(parse(source), "original");
		return slice(source, lookUp(original, keys));
	};
}

// In the order of the server, which joins the entries of an event by its id.
const ID_PATHS = [["eventn_ctx", "event_id"], ["eventn_ctx_event_id"], ["event_id"], ["messageId"], ["message_id"]];

function eventId(original, numberAt) {
	for (const keys of ID_PATHS) {
		const found = keys.reduce((value, key) => value?.[key], original);
		if (typeof found === "number") return numberAt(keys);
		if (text(found)) return found;
	}
	return "";
}

/** Jitsu's `event_type`, or else Segment's `event` of a `track`, or its `type`: as on the server. */
function typeOf(original) {
	const [type, event] = [text(original.type), text(original.event)];
	return text(original.event_type) || (type === "track" && event) || type || event;
}

/**
 * Return the row of an event and the parsed event; null if the text is not an event.
 * @returns {{row: object, event: object} | null}
 */
export function readEvent(source) {
	let event;
	try {
		event = JSON.parse(source);
	} catch {
		return null;
	}
	if (!isObject(event)) return null;
	const original = isObject(event.original) ? event.original : {};
	const numberAt = numberReader(source);
	const id = eventId(original, numberAt);
	const stream = text(event.destination_id) || text(event.token_id);
	const row = {
		// After a loss of the storage the numbers start again at 1, so that a number alone is not unique.
		key: `${stream}\n${event.seq}\n${event.uid}`,
		uid: text(event.uid),
		seq: Number(event.seq) || 0,
		stream,
		status: statusOf(event),
		masked: event.masked === true,
		time: Date.parse(text(event.timestamp)),
		timeUs: microseconds(text(event.timestamp)),
		timestamp: text(event.timestamp),
		type: oneLine(typeOf(original), 120),
		eventId: id,
		id: oneLine(id, 120),
		preview: oneLine(event.error || event.malformed || event.skip || summary(event, original, numberAt)),
		source,
	};
	return {row, event};
}

/** Which of the server's three statuses an event has. */
export function serverStatus(status) {
	if (status === "error" || status === "malformed") return "error";
	return status === "skip" ? "skip" : "success";
}
