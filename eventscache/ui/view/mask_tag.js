/** Tags in place of values that were masked. */

import {el} from "../lib/dom.js";
import {maskOf} from "../model/mask.js";

export const maskTag = (label, title) => el("span.mask", {title}, label);

/** Return the tag for a value in JSON of a masked event, or null. */
export function tagOfJson(raw) {
	const mask = raw.startsWith('"') ? maskOf(JSON.parse(raw)) : null;
	return mask && maskTag(...mask);
}
