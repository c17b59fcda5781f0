/** The way of an event, as the server tells it, as the lines of a time line. */

import {microseconds} from "../lib/time.js";
import {EMPTY, toHash} from "./filter.js";

const EVENT_ID = /^(?=.*\d)[\w.:@-]{6,200}$/;

/** Whether a text that somebody searches for looks like an event id. */
export const mayBeEventId = text => EVENT_ID.test(text);

/** The address of an entry in its own stream. */
const hrefOf = (tab, stream, uid = "") => toHash({...EMPTY, tab, ids: [stream], uid});

function receivedLine({token_id: stream, ...step}) {
	const status = step.status === "success" ? "received" : step.status;
	return {...step, tab: "incoming", stream, status, href: hrefOf("incoming", stream, step.uid), passed: null, since: null};
}

/** The time since the attempt before is told only if there was one. */
function attemptLine(stream, step, index) {
	const since = index ? step.after_previous_ms : null;
	const status = step.status === "success" && !step.has_result ? "pending" : step.status;
	return {...step, tab: "processed", status, stream, href: hrefOf("processed", stream, step.uid), passed: step.after_ms, since};
}

function pendingLine({destination_id: stream, waiting_ms: waiting, may_be_gone: mayBeGone}) {
	return {stream, status: "pending", href: hrefOf("processed", stream), waiting, mayBeGone};
}

/** Return the lines of a way: what happened, in the order of time, and then what is pending. */
export function linesOf({received, destinations, pending}) {
	const attempts = destinations.flatMap(({destination_id: stream, attempts}) =>
		attempts.map((step, index) => attemptLine(stream, step, index)),
	);
	const byTime = (a, b) => microseconds(a.timestamp) - microseconds(b.timestamp) || 0;
	return [...received.map(receivedLine), ...attempts.sort(byTime), ...pending.map(pendingLine)];
}
