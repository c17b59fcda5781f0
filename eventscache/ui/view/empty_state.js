/** The page without rows: it says why there are none, and an empty cache shows how to send a first event. */

import {byId, el, show} from "../lib/dom.js";
import {count} from "../lib/text.js";
import {followJitsu, nginxMirror, recordOutcome, sendEvent} from "../model/commands.js";

export class EmptyState {
	#drawn = "";

	constructor(copy) {
		this.copy = copy;
	}

	/** Draw only if the state changes: a text that somebody reads or selects stays as it is. */
	#draw(state, build) {
		const node = byId("empty-state");
		if (this.#drawn !== state) node.replaceChildren(...build().filter(Boolean));
		this.#drawn = state;
		show(node, Boolean(state));
		show(byId("list-head"), !state);
		document.body.classList.toggle("first-use", state.startsWith("first use"));
	}

	hide() {
		this.#draw("", () => []);
	}

	/** @param obstacle why no events arrive, or "" */
	showLoading(obstacle = "") {
		this.#draw(`loading ${obstacle}`, () => [el("p.quiet-words", obstacle || "Loading …")]);
	}

	/** @param looked where was looked, such as `2 cached events`; while the page `readsOn`, not everywhere yet */
	showNoMatch(looked, readsOn, clearFilters) {
		this.#draw(`no match ${looked} ${readsOn}`, () => [
			el("h2", readsOn ? `No match yet among ${looked}` : `No match among ${looked}`),
			el("p.hint", readsOn ? "The page is reading on …" : "New events that match will appear here."),
			el("p", el("button", {onclick: clearFilters}, "Clear all filters")),
		]);
	}

	/** @param other the other tab, if it has events */
	showNoEvents(other) {
		this.#draw(`no events ${other?.total ?? 0}`, () => [
			el("h2", "No events yet"),
			el("p.hint", "The next event will appear here immediately."),
			other && el("p", openButton("button", other)),
		]);
	}

	/** Show how to send a first event; a command names a token or an API key if the server needs one. */
	showFirstUse(other, {apiKeys, sources, needsToken}) {
		const lead = sources.length
			? `This server follows ${sources.join(" and ")}, and nothing has come from there. You can also send events:`
			: "This page waits for the first event and then shows a list. Follow your Jitsu, or send events:";
		this.#draw(`first use ${other?.total ?? 0} ${needsToken} ${apiKeys} ${sources}`, () => [
			el("h2", "No events yet"),
			el("p.lead", lead),
			other && el("p", openButton("button.primary", other)),
			!sources.length && this.#follow(),
			this.#incoming(apiKeys),
			this.#processed(needsToken),
			this.#mirror(),
		]);
	}

	#follow() {
		const words =
			"Add these lines to Jitsu's own eventnative.yaml, and start this server with --config eventnative.yaml. " +
			"Everything that Jitsu keeps in its Redis appears here. Jitsu needs no change.";
		return this.#command("Follow your Jitsu", followJitsu(), words);
	}

	#incoming(apiKeys) {
		const words = apiKeys
			? "YOUR_API_KEY is a client_secret of api_keys in the configuration. The event appears under Incoming, by the id of that key."
			: "The event appears under Incoming, as my_key.";
		return this.#command("Send an event as Jitsu's client does", sendEvent(apiKeys), words);
	}

	#processed(needsToken) {
		const words = "The event appears under Processed, as an error of my_destination.";
		return this.#command("Record what a destination did", recordOutcome(needsToken), words);
	}

	#mirror() {
		const words = "For the nginx in front of Jitsu. Jitsu is not affected if this server fails.";
		return this.#command("Mirror the requests that Jitsu receives", nginxMirror(), words);
	}

	#command(title, text, words) {
		const copy = () => this.copy(text, "Command");
		const button = el("button", {"aria-label": `Copy: ${title}`, onclick: copy}, "Copy");
		return el(
			"section.command",
			el("div.command-head", el("h3", title), button),
			el("p.hint", words),
			el("pre", {tabIndex: 0}, text),
		);
	}
}

const openButton = (tag, {label, total, open}) =>
	el(tag, {onclick: open}, `Show ${count(total, "event")} under ${label}`);
