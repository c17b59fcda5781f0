/** What replaced a masked value: `***` where it was removed, 32 hexadecimal digits where it was hashed. */

const HASH = /^[0-9a-f]{32}$/;
const NOTE = /^\[(masked: \d+ bytes)\]$/;
const SHOWN_DIGITS = 8; // of a hash: enough to compare values by eye

export const MASKED = "Some values were replaced before the event was stored";

/** Return a short label for a text that replaced a value, and what it means; null for any other text. */
export function maskOf(text) {
	if (text === "***") return ["removed", "This value was removed before the event was stored"];
	if (HASH.test(text))
		return [`hash ${text.slice(0, SHOWN_DIGITS)}`, `A keyed hash of the value; equal values have equal hashes: ${text}`];
	const note = NOTE.exec(text);
	return note && [note[1], "This text was not stored, because it might contain masked values"];
}
