/** One event in full: its facts, why it failed or was skipped, and the four tabs. */

import {byId, el, icon, setText, settle, show} from "../lib/dom.js";
import {member, parse, slice} from "../lib/json.js";
import {bytes, visible} from "../lib/text.js";
import {ago} from "../lib/time.js";
import {curlFor} from "../model/commands.js";
import {STATUSES} from "../model/event.js";
import {MASKED} from "../model/mask.js";
import {DetailTabs} from "./detail_tabs.js";
import {textNodes} from "./shown_text.js";
import {wayNodes} from "./way.js";

const TABS = {original: "Original", result: "Result", diff: "Diff", raw: "Raw"};

export class Detail {
	#tab = "original";
	#row = null;
	#root = null;
	#panel = null;
	#age = null;
	#way = null;

	/**
	 * `acts` has `filter(path, op, value)`, `pick(row, cell, excluded)`, `close()`, `copy(text, what)` and `copyLink()`;
	 * `replay(row)` returns what replays it, or null
	 */
	constructor(node, acts) {
		this.node = node;
		this.acts = acts;
	}

	get key() {
		return this.#row?.key ?? "";
	}

	get uid() {
		return this.#row?.uid ?? "";
	}

	/** The event id, by which its way is found. */
	get eventId() {
		return this.#row?.eventId ?? "";
	}

	/** The JSON that the tab shows. */
	get json() {
		if (!this.#row) return "";
		const {source} = this.#row;
		const name = {original: "original", diff: "original", result: "success"}[this.#tab];
		return slice(source, this.#member(name)) || source;
	}

	/** Show an event; `top` is a node above it, such as the way to other examples. */
	open(row, top = "") {
		if (this.#row?.key === row.key) return;
		this.#row = row;
		try {
			this.#root = parse(row.source);
		} catch {
			this.#root = null; // only the raw text can be shown
		}
		this.#setOpen(true);
		this.#build(top);
	}

	/** What is searched for has changed. */
	drawAgain() {
		if (this.#row) this.#show(this.#tab);
	}

	close() {
		this.#row = null;
		this.#setOpen(false);
		this.node.replaceChildren();
	}

	#setOpen(open) {
		for (const node of [this.node, byId("resizer")]) show(node, open);
	}

	/** Show the way of the event, once it is known, and when it goes on; not while somebody is at one of its links. */
	showWay(lines) {
		if (this.#way.contains(document.activeElement)) return;
		this.#way.replaceChildren(...wayNodes(lines, this.uid));
		if (!this.#way.hidden) return;
		this.#way.hidden = false;
		this.#reveal();
	}

	/** Bring the field into view that the error names, or that has the text which is searched for. */
	#reveal() {
		(this.#panel.querySelector(".named") ?? this.#panel.querySelector("mark"))?.scrollIntoView({block: "nearest"});
	}

	/** Once a second. */
	tick() {
		if (this.#row) setText(this.#age, ago(this.#row.time));
	}

	/** The value of the record at some names. */
	#member(...names) {
		return names.reduce(member, this.#root);
	}

	#build(top) {
		const row = this.#row;
		this.#panel = el("div.panel", {id: "detail-panel", role: "tabpanel", tabIndex: 0});
		const tabs = Object.entries(TABS).map(([name, label]) =>
			el("button", {role: "tab", id: `detail-${name}`, "aria-controls": "detail-panel", onclick: () => this.#show(name)}, label),
		);
		const bar = el("div.tabs", {role: "tablist", "aria-label": "Parts of the event", onkeydown: event => this.#step(event)}, ...tabs);
		this.#way = el("section.way", {"aria-labelledby": "way-title", hidden: true});
		this.node.replaceChildren(top, this.#head(), ...this.#reasons(), this.#way, bar, this.#panel);
		this.#show(this.#tab);
		this.node.ariaLabel = `${STATUSES[row.status]}: ${row.type || "event"}`;
	}

	#step(event) {
		const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
		if (!step) return;
		const names = Object.keys(TABS);
		this.#show(names.at((names.indexOf(this.#tab) + step) % names.length));
		this.node.querySelector(`#detail-${this.#tab}`).focus();
		settle(event);
	}

	#head() {
		const row = this.#row;
		const original = slice(row.source, this.#member("original"));
		const replay = this.acts.replay(row);
		const button = (label, act, title) => el("button", {title, onclick: act}, label);
		return el(
			"header.detail-head",
			el(
				"div.detail-title",
				el(`span.status.${row.status}`, icon(row.status), STATUSES[row.status]),
				el("h2", this.#picked("type", row.type || "no type")),
				el("button.quiet.detail-close", {"aria-label": "Close", title: "Close (Esc)", onclick: this.acts.close}, icon("close")),
			),
			el("dl.facts", ...this.#facts()),
			el(
				"p.buttons",
				button("Copy JSON", () => this.acts.copy(this.json, "JSON"), "Exactly as received (c)"),
				original &&
					button("Copy cURL", () => this.acts.copy(curlFor(original), "cURL command"), "Sends the event again; insert your token"),
				button("Copy link", this.acts.copyLink, "Opens this event"),
				replay && button("Replay …", replay),
			),
		);
	}

	#facts() {
		const row = this.#row;
		const facts = [
			["Time", row.timestamp && `${visible(row.timestamp)} `],
			["Event id", row.id && this.#picked("id", row.id)],
			[this.#member("destination_id")?.value ? "Destination" : "API key", this.#picked("stream", visible(row.stream))],
			["Table", visible(this.#member("success", "table")?.value ?? "")],
			["Attempt", this.#raw("attempt")],
			["Response", this.#raw("response", "status")],
			["Size", bytes(new Blob([row.source]).size)],
			["Masked", row.masked ? MASKED : ""],
		];
		const shown = facts
			.filter(([, value]) => value)
			.map(([name, value]) => el("div", el("dt", name), el("dd", value)));
		this.#age = el("span.hint", ago(row.time));
		if (row.timestamp) shown[0].lastChild.append(this.#age);
		return shown;
	}

	/** A text of the row that is filtered by when it is clicked, or left out with Alt. */
	#picked(cell, text) {
		const row = this.#row;
		return el("button.picked", {title: "Filter by this (Alt: leave it out)", onclick: ({altKey}) => this.acts.pick(row, cell, altKey)}, text);
	}

	/** The text of a number exactly as received; empty if there is none. */
	#raw(...names) {
		return visible(slice(this.#row.source, this.#member(...names)));
	}

	/** Why the event failed or was skipped, and what its destination answered. */
	#reasons() {
		const text = (...names) => this.#member(...names)?.value;
		const reasons = [
			["error", "Error", text("error")],
			["skip", "Skipped", text("skip")],
			["response", "Response", text("response", "body")],
		];
		return reasons
			.filter(([, , words]) => words)
			.map(([kind, name, words]) => el(`div.reason.${kind}`, el("b", name), el("p", ...textNodes(words, {lines: true}))));
	}

	#show(name) {
		this.#tab = name;
		for (const tab of this.node.querySelectorAll(".tabs [role=tab]")) {
			const shown = tab.id === `detail-${name}`;
			tab.ariaSelected = String(shown);
			tab.tabIndex = shown ? 0 : -1;
		}
		this.#panel.setAttribute("aria-labelledby", `detail-${name}`);
		this.#panel.replaceChildren(...new DetailTabs(this.#row, this.#root, this.acts)[name]());
		this.#panel.scrollTop = 0;
		this.#reveal();
	}
}
