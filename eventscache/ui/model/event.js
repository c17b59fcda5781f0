/** Events as rows: read from the text that the server sends. */

import {isObject, member, parse, slice} from "../lib/json.js";
import {joinPath, lookUp} from "../lib/path.js";
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

/** Return the event id and the keys of its place. */
function eventId(original, numberAt) {
	for (const keys of ID_PATHS) {
		const found = keys.reduce((value, key) => value?.[key], original);
		if (typeof found === "number") return [numberAt(keys), keys];
		if (text(found)) return [found, keys];
	}
	return ["", []];
}

let typeNames = []; // of the place where types are looked for first

/** @param path as the configuration has it: names with dots between them */
export function setTypePath(path) {
	typeNames = path ? path.split(".") : [];
}

/** Yield the values at names, and their keys: a name with dots in it counts as one name and as several levels. */
function* placesOf(value, names, keys = []) {
	if (!names.length) yield [value, keys];
	if (Array.isArray(value)) {
		const index = /^\d{1,15}$/.test(names[0]) ? Number(names[0]) : value.length;
		if (index < value.length) yield* placesOf(value[index], names.slice(1), [...keys, index]);
	} else if (isObject(value)) {
		for (let count = names.length; count > 0; count -= 1) {
			const name = names.slice(0, count).join(".");
			if (Object.hasOwn(value, name)) yield* placesOf(value[name], names.slice(count), [...keys, name]);
		}
	}
}

/**
 * Return the type of an original, and the keys of its place, as on the server: the configured one, or else Jitsu's
 * `event_type`, or else Segment's `event` of a `track`, or its `type`.
 */
function typeOf(original, numberAt) {
	for (const [value, keys] of typeNames.length ? placesOf(original, typeNames) : []) {
		const found = typeof value === "number" ? numberAt(keys) : text(value);
		if (found) return [found, keys];
	}
	const names = original.type === "track" ? ["event_type", "event", "type"] : ["event_type", "type", "event"];
	const name = names.find(each => text(original[each]));
	return name ? [original[name], [name]] : ["", []];
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
	const [id, idKeys] = eventId(original, numberAt);
	const [type, typeKeys] = typeOf(original, numberAt);
	const preview = event.error || event.malformed || event.skip;
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
		type: oneLine(type, 120),
		typeText: type,
		typePath: joinPath(typeKeys),
		eventId: id,
		id: oneLine(id, 120),
		idPath: joinPath(idKeys),
		preview: oneLine(text(preview)),
		pairs: preview ? [] : summary(event, original, numberAt), // where there is no other text
		source,
	};
	return {row, event};
}

/** Which of the server's three statuses an event has. */
export function serverStatus(status) {
	if (status === "error" || status === "malformed") return "error";
	return status === "skip" ? "skip" : "success";
}
