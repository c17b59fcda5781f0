/** Events as CSV, for a spreadsheet. */

import { readEvent } from "./event.js";
import { member, parse, slice } from "./json.js";

const COLUMNS = [
  "timestamp",
  "status",
  "stream",
  "seq",
  "uid",
  "event_type",
  "event_id",
  "error",
  "skip",
  "malformed",
  "original",
  "success",
];

/** A spreadsheet would run a cell that begins like a formula. */
const harmless = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);

const cell = (value) => `"${harmless(String(value ?? "")).replaceAll('"', '""')}"`;

function line(source) {
  const read = readEvent(source);
  if (!read) return "";
  const { row, event } = read;
  const root = parse(source);
  const values = [
    row.timestamp,
    row.status,
    row.stream,
    row.seq,
    row.uid,
    row.type,
    row.id,
    event.error,
    event.skip,
    event.malformed,
    // As they came: parsed, a number such as 1.10 would be another text.
    slice(source, member(root, "original")),
    slice(source, member(root, "success")),
  ];
  return `${values.map(cell).join(",")}\r\n`;
}

export const toCsv = (sources) => [`${COLUMNS.join(",")}\r\n`, ...sources.map(line)];
