/** What is known of the errors of the streams in view: their rate, how many are kept, and when the last one was. */

import {byId, setText, show} from "../lib/dom.js";
import {whole} from "../lib/text.js";
import {ago} from "../lib/time.js";

/** How many of the events of the last hour failed; errors are also kept apart from them, so no other number says it. */
function rate({success, error, skip}) {
	const percent = (100 * error) / (success + error + skip);
	if (!(percent > 0)) return "";
	return `${percent < 1 ? "<1" : Math.round(percent)} % of the last hour, `;
}

/**
 * @param last Unix milliseconds of the last error, or NaN
 * @param kept how many errors are cached
 * @param hour the sums of the last hour, or null if not all events of it are counted
 */
export function drawLastError(last, kept, hour) {
	const known = Number.isFinite(last);
	show(byId("last-error"), known);
	if (!known) return;
	const cached = kept ? `${whole(kept)} kept, ` : "";
	const text = `Errors: ${hour ? rate(hour) : ""}${cached}last ${ago(last)}`;
	setText(byId("last-error").firstElementChild, text);
}
