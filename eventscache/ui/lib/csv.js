/** CSV for a spreadsheet. */

/** A spreadsheet would run a cell that begins like a formula: an apostrophe makes it a text. */
const asText = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);

const cell = (value) => `"${asText(String(value ?? "")).replaceAll('"', '""')}"`;

export const csvHeader = (names) => `${names.join(",")}\r\n`;

export const csvLine = (values) => `${values.map(cell).join(",")}\r\n`;
