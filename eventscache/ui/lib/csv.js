/** CSV for a spreadsheet. */

// A spreadsheet would run what begins like a formula, an apostrophe makes it a text. A cell begins anew behind a line
// break, a tab, or a semicolon (the separator in half of the world, for which quotation marks in the middle of a cell are
// characters), and spreadsheets skip blanks, marks that nobody sees and quotation marks, and take signs of full width.
const SIGNS = "[=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212]";
const BEGINNING = "(?:^|[;\uff1b\\t\\n\\v\\f\\r\u0085\u2028\u2029])[\\s\\p{Z}\\p{Cc}\\p{Cf}\"']*";
const FORMULA = new RegExp(`${SIGNS}(?<=${BEGINNING}${SIGNS})`, "gu"); // looks back from signs only: in linear time

const asText = text => text.replace(FORMULA, "'$&").replace(/^[\t\r\n]/, "'$&");

const cell = value => `"${asText(String(value ?? "")).replaceAll('"', '""')}"`;

export const csvHeader = names => `${names.join(",")}\r\n`;

export const csvLine = values => `${values.map(cell).join(",")}\r\n`;
