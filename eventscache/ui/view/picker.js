/** The list of streams: all of them, one, or several can be chosen. */

import {byId, el, icon, setText, show} from "../lib/dom.js";
import {count, oneLine, visible, whole} from "../lib/text.js";
import {ago} from "../lib/time.js";

const MOST_SHOWN = 200;

export class Picker {
	#streams = [];
	#ids = [];
	#drawn = "";

	/** @param choose an empty list means all */
	constructor(choose) {
		this.choose = choose;
		byId("streams-search").addEventListener("input", () => this.#draw());
		byId("streams-open").addEventListener("click", () => this.#unfold(!byId("streams").classList.contains("unfolded")));
		byId("streams-close").addEventListener("click", () => this.#unfold(false));
		byId("streams").addEventListener("keydown", event => {
			if (event.key === "Escape") this.#unfold(false);
		});
	}

	set(streams, ids, title) {
		this.#streams = streams;
		this.#ids = ids;
		setText(byId("streams-title"), title);
		const [first] = ids;
		setText(byId("streams-label"), ids.length > 1 ? `${ids.length} streams` : first ? oneLine(first, 40) : "All streams");
		this.#draw();
	}

	/** Say which streams the token shows, if these are not all. */
	setPatterns(patterns) {
		setText(byId("streams-readable"), patterns.length ? `This token shows ${oneLine(patterns.join(", "), 200)}` : "");
		show(byId("streams-readable"), patterns.length > 0);
	}

	#unfold(unfolded) {
		byId("streams").classList.toggle("unfolded", unfolded);
		byId("streams-open").setAttribute("aria-expanded", String(unfolded));
		byId(unfolded ? "streams-search" : "streams-open").focus();
	}

	#draw() {
		const text = byId("streams-search").value.trim().toLowerCase();
		const unknown = this.#ids.filter(id => !this.#streams.some(stream => stream.id === id));
		const all = [...unknown.map(id => ({id, total_events: 0, error_events: 0, last_active: ""})), ...this.#streams];
		const found = all.filter(({id}) => id.toLowerCase().includes(text));
		const items = found.slice(0, MOST_SHOWN);
		// The time of the last event changes often: it alone is no reason to build the list again.
		const drawn = JSON.stringify([
			items.map(({id, total_events, error_events}) => [id, total_events, error_events]),
			this.#ids,
			text,
		]);
		if (drawn !== this.#drawn) {
			this.#drawn = drawn;
			const focused = document.activeElement?.dataset?.focus;
			const allStreams = text || !all.length ? [] : [this.#allStreams(all)];
			byId("streams-list").replaceChildren(...allStreams, ...items.map(stream => this.#item(stream)));
			if (focused)
				[...byId("streams-list").querySelectorAll("[data-focus]")]
					.find(node => node.dataset.focus === focused)
					?.focus();
		}
		const more = found.length - items.length;
		setText(
			byId("streams-more"),
			found.length
				? `${whole(more)} more: use the search`
				: all.length
					? "No stream matches"
					: "No streams yet",
		);
		show(byId("streams-more"), more > 0 || !found.length);
	}

	/** Choose one stream or all. On a narrow page the list covers the rows, and closes. */
	#only(ids) {
		if (byId("streams").classList.contains("unfolded")) this.#unfold(false);
		this.choose(ids);
	}

	#allStreams(streams) {
		const total = streams.reduce((sum, stream) => sum + stream.total_events, 0);
		const errors = streams.reduce((sum, stream) => sum + stream.error_events, 0);
		return el(
			"li",
			{},
			el(
				"button.stream",
				{"aria-pressed": String(!this.#ids.length), "data-focus": "all", onclick: () => this.#only([])},
				el("span.name", {}, "All streams"),
				...counts(total, errors),
			),
		);
	}

	#item(stream) {
		const {id} = stream;
		const chosen = this.#ids.includes(id);
		const toggle = () => this.choose(chosen ? this.#ids.filter(other => other !== id) : [...this.#ids, id]);
		const name = visible(id);
		const title = stream.last_active ? `${name}\nlast active ${ago(Date.parse(stream.last_active))}` : name;
		return el(
			"li",
			{},
			el("input", {
				type: "checkbox",
				checked: chosen,
				"aria-label": `Also show ${name}`,
				"data-focus": `check ${id}`,
				onchange: toggle,
			}),
			el(
				"button.stream",
				{title, "aria-pressed": String(chosen), "data-focus": `only ${id}`, onclick: () => this.#only([id])},
				el("span.name", {}, name),
				...counts(stream.total_events, stream.error_events),
			),
		);
	}
}

const counts = (total, errors) => [
	errors
		? el("span.errors", {title: `${count(errors, "error")} cached, in the list of errors`}, icon("error"), whole(errors))
		: null,
	el("span.total", {title: `${count(total, "event")} cached`}, whole(total)),
];
