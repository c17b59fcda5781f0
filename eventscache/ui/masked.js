/** What stands for a masked value: `***` where it was removed, 32 hexadecimal digits where it was hashed. */

import { el } from "./dom.js";

const HASH = /^[0-9a-f]{32}$/;
const NOTE = /^\[(masked: \d+ bytes)\]$/;
const SHOWN = 8; // digits of a hash: enough to tell values apart by eye

export const MASKED = "Some values were replaced before the event was stored";

/** Return what a tag says of a text in a masked event, and what it means; null if the text is no mask. */
export function maskOf(text) {
  if (text === "***") return ["removed", "This value was removed before the event was stored"];
  if (HASH.test(text))
    return [`hash ${text.slice(0, SHOWN)}`, `A keyed hash of the value, the same wherever the value is: ${text}`];
  const note = NOTE.exec(text);
  return note && [note[1], "This text was not stored: it might have told what was masked"];
}

export const maskTag = (label, title) => el("span.mask", { title }, label);

/** Return the tag for a value in JSON of a masked event, or null. */
export function tagOfJson(raw) {
  const mask = raw.startsWith('"') ? maskOf(JSON.parse(raw)) : null;
  return mask && maskTag(...mask);
}
