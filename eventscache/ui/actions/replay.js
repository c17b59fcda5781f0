/** Replaying: cached events are posted again to a target of the configuration, as somebody chooses them. */

import {postReplay} from "../api/fetch.js";
import {count, whole} from "../lib/text.js";
import {oncePerEvent, wasTaken} from "../model/replay.js";
import {openReplay, showAnswer} from "../view/replay_dialog.js";

const MOST = 1000; // events at once

/** Return what offers to replay events; null where there are no targets. `find()` returns their rows, the newest first. */
export function replayOffer({targets}, find) {
	const offer = () => {
		const rows = oncePerEvent(find().filter(({source}) => source));
		openReplay(targets, rows.slice(0, MOST).reverse(), rows.length - MOST, send);
	};
	return targets.length ? offer : null;
}

/** Send one event after another, until the dialog is closed or the server refuses to; return what came of it. */
async function send(target, lines, dialog) {
	let taken = 0;
	for (const line of lines) {
		const answer = await post(target, line.asked);
		if (wasTaken(answer)) taken += 1;
		showAnswer(line, answer);
		if (answer.refused || !dialog.open) break;
	}
	return `${target} took ${whole(taken)} of ${count(lines.length, "event")}`;
}

/** Return what the target answered, or why the server `refused` to ask it. */
const post = (target, asked) =>
	postReplay({target, ...asked}).then(({answers: [answer]}) => answer, ({message}) => ({error: message, refused: true}));
