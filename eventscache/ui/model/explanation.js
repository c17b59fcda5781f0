/** Why an event is not cached, as the server tells it, in words. */

import {count, oneLine} from "../lib/text.js";
import {clock, duration} from "../lib/time.js";

const SURE_ID = /^[\da-f-]{16,}$/i; // of other texts nothing is said unless the server knows something

const at = timestamp => clock(Date.parse(timestamp));

function outcomeText({outcome, message, at: when, id, limited_for_ms: limitedForMs}) {
	const where = id === null ? "" : ` in ${oneLine(id, 80)}`;
	const still = limitedForMs ? ` The stream is limited for another ${duration(limitedForMs)}.` : "";
	return `it was ${outcome}${where} at ${at(when)}: ${oneLine(message)}.${still}`;
}

function missedText(missed) {
	const events = missed.reduce((total, part) => total + part.events, 0);
	return events ? ` It may be among ${count(events, "event")} that came too fast to be recorded.` : "";
}

/** Return why an id is not cached; "" if there is nothing to say. */
export function explanationText(id, explanation) {
	if (!explanation) return "";
	const {outcomes, missed, since} = explanation;
	const shown = `${oneLine(id, 80)} is not cached: `;
	if (outcomes.length) return shown + outcomeText(outcomes[0]);
	if (!SURE_ID.test(id)) return "";
	if (since === null) return `${shown}nothing is known of it in the streams that this token shows.`;
	return `${shown}this server process has not seen it since ${at(since)}.${missedText(missed)}`;
}
