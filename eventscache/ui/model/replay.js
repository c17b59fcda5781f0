/** What is posted again for a row, and what is to be known of it before. */

import {count} from "../lib/text.js";

const WARNINGS = {
	masked: "Masked, so that the body is not what the client sent",
	"not JSON": "Not JSON, posted as far as it was kept",
};

/** Return how the server is `asked` for the event of a row, why it cannot be posted, or else how its body was `changed`. */
export function replayOf({source, masked, stream, seq, uid}) {
	const {original, malformed, destination_id: destination} = JSON.parse(source);
	return {
		asked: {namespace: destination ? "destination" : "token", id: stream, seqs: [seq], uids: [uid]},
		fault: original || malformed ? "" : "It has no original to post",
		changed: masked ? "masked" : malformed ? "not JSON" : "",
	};
}

/** Return what is to be known before some events are posted, or "". */
export function replayWarnings(replays) {
	const warnings = Object.entries(WARNINGS).map(([kind, warning]) => {
		const changed = replays.filter(replay => replay.changed === kind).length;
		return changed ? `${warning}: ${count(changed, "event")}.` : "";
	});
	return warnings.join(" ").trim();
}

/** Return the first of the rows of each event: a target must not get it once for each destination. */
export function oncePerEvent(rows) {
	const ids = new Set();
	return rows.filter(({eventId}) => !eventId || (!ids.has(eventId) && ids.add(eventId)));
}

/** Whether a target took an event. */
export const wasTaken = ({status}) => status >= 200 && status < 300;
