/** Texts for people: numbers, plurals, and what would otherwise hide or reorder the text around it. */

// Controls, marks that reorder or break text, and what takes no room at all.
const DECEIVING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

const escape = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Show such characters as their JSON escapes. */
export const visible = (text) => text.replace(DECEIVING, escape);

/** The same on one line, and no longer than `length`. */
export function oneLine(text, length = 300) {
  const cut = text.length > length ? `${text.slice(0, length)}…` : text;
  return visible(cut.replace(/[ \t\r\n]+/g, " "));
}

const WHOLE = new Intl.NumberFormat("en-US");

export const whole = (number) => WHOLE.format(number);

export const count = (number, noun, plural = `${noun}s`) => `${whole(number)} ${number === 1 ? noun : plural}`;

export function bytes(size) {
  return size < 1000 ? `${size} B` : `${(size / 1000).toFixed(size < 10_000 ? 1 : 0)} kB`;
}
