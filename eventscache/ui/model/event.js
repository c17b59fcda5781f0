/** Events as rows: read from the text that the server sends. */

import {member, parse, slice} from "../lib/json.js";
import {lookUp} from "../lib/path.js";
import {oneLine} from "../lib/text.js";
import {microseconds} from "../lib/time.js";
import {maskOf} from "./mask.js";

export const STATUSES = {
	success: "Success",
	error: "Error",
	skip: "Skipped",
	malformed: "Malformed",
	pending: "Pending",
	received: "Received",
};

// Fields that a preview leaves out: they are the same in most events, or have a column of their own.
const LEFT_OUT = new Set([
	"api_key", "apiKey", "event_type", "event_id", "messageId", "message_id", "src", "user_agent", "utc_time",
	"local_tz_offset", "type", "doc_encoding", "_timestamp", "sdk_version", "screen_resolution", "vp_size",
	"user_language", "source_ip", "timestamp", "sentAt", "receivedAt", "originalTimestamp", "channel", "version",
	"projectId", "app_build_id", "doc_host", "eventn_ctx_event_id",
]);
// Fields that a preview shows first.
const FIRST = ["event", "url", "doc_path", "page_title", "email", "internal_id", "user", "properties", "anonymous_id"];
const MOST_PAIRS = 6; // in a preview

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

/** A few `key=value` pairs of an original, the most useful first. */
function summary(original, numberAt, masked) {
	const pairs = [];
	const visit = (object, path) => {
		const keys = Object.keys(object).filter(key => !LEFT_OUT.has(key));
		const rank = key => FIRST.indexOf(key) + 1 || FIRST.length + 1;
		for (const key of keys.sort((a, b) => rank(a) - rank(b))) {
			if (pairs.length >= MOST_PAIRS) return;
			const value = object[key];
			if (isObject(value)) {
				if (path.length < 2) visit(value, [...path, key]);
			} else if (value !== "" && value !== null && !Array.isArray(value)) {
				const exact = typeof value === "number" ? numberAt([...path, key]) : String(value);
				const shown = (masked && maskOf(exact)?.[0]) || exact;
				pairs.push(`${key}=${oneLine(shown, 80)}`);
			}
		}
	};
	visit(original, []);
	return pairs.join("  ");
}

function previewOf(event, original, numberAt) {
	return event.error || event.malformed || event.skip || summary(original, numberAt, event.masked === true);
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
		preview: oneLine(previewOf(event, original, numberAt)),
		source,
	};
	return {row, event};
}

/** Which of the server's three statuses an event has. */
export function serverStatus(status) {
	if (status === "error" || status === "malformed") return "error";
	return status === "skip" ? "skip" : "success";
}
