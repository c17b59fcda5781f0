/** Events as CSV, for a spreadsheet. */

import { readEvent } from "./event.js";

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

const json = (value) => (value === undefined ? "" : JSON.stringify(value));

function line(source) {
  const read = readEvent(source);
  if (!read) return "";
  const { row, event } = read;
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
    json(event.original),
    json(event.success),
  ];
  return `${values.map(cell).join(",")}\r\n`;
}

export const toCsv = (sources) => [`${COLUMNS.join(",")}\r\n`, ...sources.map(line)];
