/** An event as a row shows it, read from the text that came. */

import { member, parse, slice } from "./json.js";
import { maskOf } from "./masked.js";
import { lookUp } from "./path.js";
import { oneLine } from "./text.js";
import { microseconds } from "./time.js";

export const STATUSES = {
  success: "Success",
  error: "Error",
  skip: "Skipped",
  malformed: "Malformed",
  pending: "Pending",
  received: "Received",
};

/** What tells nothing in one line: it is the same in every event, or has a column of its own. */
const DULL = new Set([
  "api_key",
  "apiKey",
  "event_type",
  "event_id",
  "messageId",
  "src",
  "user_agent",
  "utc_time",
  "local_tz_offset",
  "type",
  "doc_encoding",
  "_timestamp",
  "sdk_version",
  "screen_resolution",
  "vp_size",
  "user_language",
  "source_ip",
  "timestamp",
  "sentAt",
  "receivedAt",
  "originalTimestamp",
  "channel",
  "version",
  "projectId",
  "app_build_id",
  "doc_host",
  "eventn_ctx_event_id",
]);
const TELLING = [
  "event",
  "url",
  "doc_path",
  "page_title",
  "email",
  "internal_id",
  "user",
  "properties",
  "anonymous_id",
];
const PREVIEWED = 6;

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const text = (value) => (typeof value === "string" ? value : "");

/** Jitsu's own rule, but told apart more finely: what is only received, or not delivered yet, is no success. */
function statusOf(event) {
  if (event.malformed) return "malformed";
  if (event.error) return "error";
  if (event.skip) return "skip";
  if (event.success) return "success";
  return event.destination_id ? "pending" : "received";
}

/** Return what tells the text of a number in an original as it came: 1.10 is not 1.1. It is parsed when asked. */
function numbersOf(source) {
  let original;
  return (keys) => {
    original ??= member(parse(source), "original");
    return slice(source, lookUp(original, keys));
  };
}

const ID_PATHS = [["event_id"], ["eventn_ctx_event_id"], ["eventn_ctx", "event_id"], ["messageId"]];

function eventId(original, numberAt) {
  for (const keys of ID_PATHS) {
    const found = keys.reduce((value, key) => value?.[key], original);
    if (found) return typeof found === "number" ? numberAt(keys) : text(found);
  }
  return "";
}

/** A few `key=value` pairs of an original, the telling ones first. */
function summary(original, numberAt, masked) {
  const pairs = [];
  const visit = (object, path) => {
    const keys = Object.keys(object).filter((key) => !DULL.has(key));
    const rank = (key) => TELLING.indexOf(key) + 1 || TELLING.length + 1;
    for (const key of keys.sort((a, b) => rank(a) - rank(b))) {
      if (pairs.length >= PREVIEWED) return;
      const value = object[key];
      if (isObject(value)) {
        if (path.length < 2) visit(value, [...path, key]);
      } else if (value !== "" && value !== null && !Array.isArray(value)) {
        const known = typeof value === "number" ? numberAt([...path, key]) : String(value);
        const told = (masked && maskOf(known)?.[0]) || known;
        pairs.push(`${key}=${oneLine(told, 80)}`);
      }
    }
  };
  visit(original, []);
  return pairs.join("  ");
}

function previewOf(event, original, numberAt) {
  if (event.error) return event.error;
  if (event.malformed || event.skip) return event.malformed || event.skip;
  return summary(original, numberAt, event.masked === true);
}

/**
 * Return the row of an event and the event itself, parsed; null if the text is none.
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
  const numberAt = numbersOf(source);
  const stream = text(event.destination_id) || text(event.token_id);
  const row = {
    // A storage that was lost numbers anew: the number alone would take new events for old ones.
    key: `${stream}\n${event.seq}\n${event.uid}`,
    uid: text(event.uid),
    seq: Number(event.seq) || 0,
    stream,
    status: statusOf(event),
    masked: event.masked === true,
    time: Date.parse(text(event.timestamp)),
    timeUs: microseconds(text(event.timestamp)),
    timestamp: text(event.timestamp),
    type: oneLine(text(original.event_type) || text(original.type) || text(original.event), 120),
    id: oneLine(eventId(original, numberAt), 120),
    preview: oneLine(previewOf(event, original, numberAt)),
    source,
  };
  return { row, event };
}

/** Which of the server's three statuses an event has. */
export function serverStatus(status) {
  if (status === "error" || status === "malformed") return "error";
  return status === "skip" ? "skip" : "success";
}
