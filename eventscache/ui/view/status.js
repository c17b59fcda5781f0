/** The state in the head of the page: the connection, the storage, and whether the list is paused. */

import {byId, setText} from "../lib/dom.js";
import {whole} from "../lib/text.js";

const LABELS = {
	connecting: "Connecting",
	live: "Live",
	paused: "Live, list paused",
	unavailable: "No storage",
	retrying: "Reconnecting",
	rejected: "Not connected",
	closed: "Disconnected",
};
// Why there are no rows.
const OBSTACLES = {
	rejected: "No events can be read: the server rejected the request.",
	retrying: "Waiting for the server",
};
const TOO_MANY_FAILED_LOGINS = "too_many_failed_logins";

export class Status {
	#state = "connecting";
	#storageUnavailable = false;
	#heldBy = "";
	#fault = null;
	#retryAt = 0;

	/** `acts` has `retry()` and `enterToken()`. */
	constructor(banners, acts) {
		this.banners = banners;
		this.acts = acts;
	}

	get live() {
		return this.#state === "live";
	}

	/** Why no events arrive, or "". */
	get obstacle() {
		return OBSTACLES[this.#state] ?? (this.#storageUnavailable ? "Waiting for the storage" : "");
	}

	/** The state of the connection, as `LiveConnection` has it. */
	setConnection(state, {fault = null, until = 0} = {}) {
		// A new try does not end the failure of the last one: the banner stays until the connection works.
		if (state === "connecting" && this.#state === "retrying") return;
		this.#state = state;
		this.#fault = fault;
		this.#retryAt = until;
		if (state === "live" || state === "rejected") this.banners.remove("retrying");
		if (state === "live") this.banners.remove("rejected");
		else this.setRate(0);
		if (state === "rejected") this.#showRejected();
		this.tick();
		this.#draw();
	}

	#showRejected() {
		const needsToken = this.#fault.status === 401;
		this.banners.remove("rejected");
		this.banners.set("rejected", {
			kind: "bad",
			text: needsToken ? "This server needs an admin token, or a read token." : `The server rejected the request: ${this.#fault.message}.`,
			buttons: needsToken ? [["Enter token", this.acts.enterToken]] : [],
		});
	}

	/** Once a second: when the next try is. */
	tick() {
		if (this.#state !== "retrying") return;
		const seconds = Math.max(1, Math.ceil((this.#retryAt - Date.now()) / 1000));
		const text = `${failure(this.#fault)}. The events below stay. Next try in ${seconds} s.`;
		this.banners.set("retrying", {kind: "bad", text, buttons: [["Try now", this.acts.retry]]});
	}

	setStorageUnavailable(unavailable) {
		this.#storageUnavailable = unavailable;
		if (unavailable)
			this.banners.set("unavailable", {
				kind: "bad",
				text: "The storage is unavailable. The events below stay. New events appear when it is available again.",
			});
		else this.banners.remove("unavailable");
		this.#draw();
	}

	/** Why the list is held, or "", and how many rows arrived since. */
	setHeld(heldBy, arrived) {
		this.#heldBy = heldBy;
		const paused = heldBy === "button";
		const button = byId("pause");
		button.ariaPressed = String(paused);
		setText(button, paused ? "Resume" : "Pause");
		setText(byId("held"), this.live && arrived ? `: ${whole(arrived)} new` : "");
		this.#draw();
	}

	/** How many events the server received in the last second. */
	setRate(perSecond) {
		setText(byId("rate"), perSecond > 0 ? (perSecond < 1 ? "<1/s" : `${whole(Math.round(perSecond))}/s`) : "");
	}

	/** After how many milliseconds, at most, events of the last minute could be read; 0 if there were none. */
	setReadableWithin(milliseconds) {
		const time = milliseconds < 1000 ? `${whole(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
		setText(byId("fresh"), milliseconds > 0 ? `readable within ${time}` : "");
	}

	#draw() {
		const available = this.#storageUnavailable ? "unavailable" : this.#heldBy === "button" ? "paused" : "live";
		const shown = this.live ? available : this.#state;
		byId("state").dataset.state = shown;
		setText(byId("state-text"), LABELS[shown] + (shown === "live" && this.#heldBy ? ", list held" : ""));
	}
}

function failure({status, message, code}) {
	if (code === TOO_MANY_FAILED_LOGINS) return "The server blocks this address for a while after too many failed logins";
	return status ? `The server answered “${message}”` : "The server does not answer";
}
