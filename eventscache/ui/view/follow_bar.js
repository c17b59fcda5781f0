/** What is followed, as chips: each shows its events, or ends. */

import {byId, el, setText, show} from "../lib/dom.js";
import {oneLine} from "../lib/text.js";
import {ago} from "../lib/time.js";

let drawn = "";

/** Draw what is followed. `acts` has `show(id)`, with "" for all events, and `end(id)`; `shown` is the id that is shown. */
export function drawFollows(follows, shown, acts) {
	const box = byId("follows");
	const now = JSON.stringify([follows, shown]);
	if (now !== drawn) box.replaceChildren(...follows.map(follow => chip(follow, shown, acts)));
	drawn = now;
	show(box, follows.length > 0);
	for (const time of box.querySelectorAll("time")) setText(time, `, ends ${ago(Date.parse(time.dateTime))}`);
}

function chip({id, name, until}, shown, acts) {
	const words = oneLine(name, 80);
	const next = id === shown ? "" : id;
	return el(
		"li.follow",
		el(
			"button",
			{"aria-pressed": String(!next), title: "Show only these events", onclick: () => acts.show(next)},
			el("span", `Following ${words}`),
			el("time", {dateTime: until}),
		),
		el("button.quiet", {"aria-label": `Stop following ${words}`, onclick: () => acts.end(id)}, "Stop"),
	);
}
