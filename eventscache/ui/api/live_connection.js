/** The connection of the push: opened, resumed where it broke off, closed while the page is hidden. */

import {ApiError, openPush} from "./fetch.js";
import {readMessages} from "./sse.js";

const LONGEST_PAUSE_MS = 15_000;
const SILENCE_MS = 40_000; // the server sends something every 15 s
const FINAL = new Set([400, 401, 403, 404]); // the same request would be rejected again

function pause(ms, signal) {
	return new Promise(resolve => {
		const timer = setTimeout(resolve, ms);
		signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), {once: true});
	});
}

export class LiveConnection {
	#parameters = null;
	#cursor = "";
	#running = null;
	#pausing = null;

	/**
	 * @param onState takes `connecting`, `live`, `retrying` with
	 *   `{fault, until}`, `rejected` with `{fault}`, or `closed`
	 */
	constructor(onMessage, onState) {
		this.onMessage = onMessage;
		this.onState = onState;
	}

	/** Begin without a cursor. `parameters` is called for each connection, as a range such as the last hour moves on. */
	open(parameters) {
		this.#parameters = parameters;
		this.#cursor = "";
		this.resume();
	}

	/** Continue after the last event that was received. */
	resume() {
		this.close();
		if (!this.#parameters || document.hidden) return; // resumed when the page is visible
		this.#running = new AbortController();
		this.#run(this.#running.signal);
	}

	/** Try now, and not after the pause. */
	retry() {
		this.#pausing?.abort();
	}

	/** Close; a connection that was rejected is closed already and keeps its state. */
	close() {
		if (this.#running) this.onState("closed");
		this.#running?.abort();
		this.#running = null;
	}

	async #run(signal) {
		for (let failures = 0; !signal.aborted;) {
			try {
				this.onState("connecting");
				await this.#read(signal, () => (failures = 0));
			} catch (fault) {
				if (signal.aborted) return;
				if (fault instanceof ApiError && FINAL.has(fault.status)) {
					this.#running = null;
					this.onState("rejected", {fault});
					return;
				}
				failures += 1;
				await this.#pause(failures, fault, signal);
			}
		}
	}

	async #pause(failures, fault, signal) {
		const ms = Math.min(1000 * 2 ** (failures - 1), LONGEST_PAUSE_MS) * (0.9 + Math.random() * 0.2);
		this.onState("retrying", {fault, until: Date.now() + ms});
		this.#pausing = new AbortController();
		await pause(ms, AbortSignal.any([signal, this.#pausing.signal]));
	}

	/** Read one connection until it breaks off: the server never ends it. `onReceived` is called for each message. */
	async #read(signal, onReceived) {
		const connection = new AbortController();
		let timer;
		const expectMore = () => {
			clearTimeout(timer);
			timer = setTimeout(() => connection.abort(), SILENCE_MS);
		};
		try {
			expectMore();
			const either = AbortSignal.any([signal, connection.signal]);
			const answer = await openPush(this.#parameters(Boolean(this.#cursor)), this.#cursor, either);
			this.onState("live");
			for await (const message of readMessages(answer.body)) {
				if (signal.aborted) return;
				expectMore();
				onReceived();
				if (message === null) continue;
				if (message.id !== null) this.#cursor = message.id;
				this.onMessage(message);
			}
		} finally {
			clearTimeout(timer);
			connection.abort();
		}
		throw new ApiError(0, "the connection was closed");
	}
}
