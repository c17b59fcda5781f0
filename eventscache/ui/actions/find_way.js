/** Finding the way of an event: of the open one, and of one whose id is searched for. */

import {fetchLookup} from "../api/fetch.js";
import {byId, el, listen, show} from "../lib/dom.js";
import {oneLine} from "../lib/text.js";
import {explanationText} from "../model/explanation.js";
import {linesOf, mayBeEventId} from "../model/way.js";

const REST_MS = 150; // who goes through events quickly does not wait for the way of each
const AGAIN_MS = 3000; // while something may still arrive,
const LONGEST_MS = 300_000; // which is not expected after this

/** Return the lines of an event's way, and why there are none; no lines if the server cannot tell. */
async function find(eventId) {
	const {ways, explanation} = await fetchLookup(eventId).catch(() => ({ways: []}));
	return {lines: ways.filter(({event_id: id}) => id === eventId).flatMap(linesOf), explanation};
}

/** Shows the way of the open event. */
export class OpenWay {
	#asked = 0;

	constructor(detail) {
		this.detail = detail;
	}

	/** @param eventId of the event that was opened; "" if there is none */
	async find(eventId) {
		this.#asked += 1;
		const asked = this.#asked;
		let restMs = REST_MS;
		while (eventId && restMs) {
			await new Promise(rested => setTimeout(rested, restMs));
			const {lines} = asked === this.#asked && !document.hidden ? await find(eventId) : {lines: []};
			if (asked !== this.#asked) return;
			if (lines.length) this.detail.showWay(lines);
			restMs = document.hidden || lines.some(({waiting}) => waiting < LONGEST_MS) ? AGAIN_MS : 0;
		}
	}
}

/** Offers the way of an event whose id is searched for, or says why it is not cached; Enter follows the offer. */
export class WayOffer {
	#text = "";
	#entered = "";
	#node = byId("way-offer");

	constructor() {
		listen(byId("search"), {keydown: ({key, target}) => {
			if (key !== "Enter") return;
			this.#entered = target.value.trim();
			this.#follow();
		}});
	}

	/** @param text that is searched for */
	async set(text) {
		if (text === this.#text) return;
		this.#text = text;
		show(this.#node, false);
		if (!mayBeEventId(text)) return;
		const {lines, explanation} = await find(text);
		if (text !== this.#text) return;
		const [line] = lines;
		const words = line ? `${oneLine(text, 80)} is the id of an event: ` : explanationText(text, explanation);
		this.#node.replaceChildren(words, ...(line ? [el("a", {href: line.href}, "show its way")] : []));
		show(this.#node, Boolean(words));
		if (line) this.#follow();
	}

	#follow() {
		if (this.#node.hidden || this.#entered !== this.#text) return;
		this.#entered = "";
		byId("search").value = "";
		byId("list").focus();
		this.#node.querySelector("a")?.click();
	}
}
