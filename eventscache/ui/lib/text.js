/** Texts for people: numbers, plurals, and characters that would hide or reorder the text around them. */

// Control characters and format characters (zero-width, bidirectional marks, soft hyphens), the two line separators of
// Unicode, and halves of surrogate pairs. Tabs and line feeds are shown as they are.
export const INVISIBLE_CHARACTERS = /(?![\t\n])[\p{Cc}\p{Cf}\u2028\u2029\p{Cs}]/gu;

/** Those, and tabs and line breaks. */
export const HIDDEN = /[\p{Cc}\p{Cf}\u2028\u2029\p{Cs}]/gu;

const LETTERS = {"\t": "\\t", "\n": "\\n"};
const escaped = unit => LETTERS[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A character as its JSON escape. */
export const escapeOf = character => character.split("").map(escaped).join("");

/** Show invisible characters as their JSON escapes. */
export const visible = text => text.replace(INVISIBLE_CHARACTERS, escapeOf);

/** Shorten a text to `length` UTF-16 units and an ellipsis; no character is cut in half. */
export function shortened(text, length) {
	if (text.length <= length) return text;
	const end = text.codePointAt(length - 1) > 0xffff ? length - 1 : length;
	return `${text.slice(0, end)}…`;
}

/** A visible text on one line, shortened to `length`. */
export const oneLine = (text, length = 300) => visible(shortened(text, length).replace(/[ \t\r\n]+/g, " "));

const WHOLE = new Intl.NumberFormat("en-US");

export const whole = number => WHOLE.format(number);

export const count = (number, noun, plural = `${noun}s`) => `${whole(number)} ${number === 1 ? noun : plural}`;

export function bytes(size) {
	return size < 1000 ? `${size} B` : `${(size / 1000).toFixed(size < 10_000 ? 1 : 0)} kB`;
}
