/** The list of streams: all of them, one, or several can be chosen. */

import {byId, el, icon, listen, setText, settle, showText} from "../lib/dom.js";
import {count, oneLine, visible, whole} from "../lib/text.js";
import {ago} from "../lib/time.js";

const MOST_SHOWN = 200;
const RECENT_MS = 3_600_000; // older errors are not coloured

export class Picker {
	#streams = [];
	#ids = [];
	#drawn = "";
	#order = []; // the ids that are shown, from the top
	#stop = "all"; // which control of the list the Tab key reaches

	/** @param choose an empty list means all */
	constructor(choose, lastErrors) {
		this.choose = choose;
		this.lastErrors = lastErrors;
		this.list = byId("streams-list");
		listen(this.list, {
			pointerleave: () => this.#draw(),
			focusin: ({target}) => this.#setStop(target),
			keydown: event => this.#step(event),
		});
		listen(byId("streams-search"), {input: () => this.#draw()});
		listen(byId("streams-open"), {click: () => this.#unfold(!this.#unfolded)});
		listen(byId("streams-close"), {click: () => this.#unfold(false)});
		listen(byId("streams"), {keydown: ({key}) => key === "Escape" && this.#unfold(false)});
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
		showText(byId("streams-readable"), patterns.length ? `This token shows ${oneLine(patterns.join(", "), 200)}` : "");
	}

	/** Whether the list covers the rows, as it can on a narrow page. */
	get #unfolded() {
		return byId("streams").classList.contains("unfolded");
	}

	#unfold(unfolded) {
		byId("streams").classList.toggle("unfolded", unfolded);
		byId("streams-open").ariaExpanded = String(unfolded);
		byId(unfolded ? "streams-search" : "streams-open").focus();
	}

	/** Once a second: how long ago the last error of each stream was. */
	tick() {
		for (const badge of this.list.querySelectorAll(".errors[data-id]")) this.#age(badge);
	}

	#age(badge) {
		const last = this.lastErrors.of(badge.dataset.id);
		const age = ago(last).replace(" ago", "");
		setText(badge.lastElementChild, age);
		badge.title = badge.dataset.kept + (age && `, the last ${ago(last)}`);
		badge.classList.toggle("old", Date.now() - last > RECENT_MS);
	}

	#setStop(node) {
		for (const each of this.list.querySelectorAll("[data-focus]")) each.tabIndex = each === node ? 0 : -1;
		this.#stop = node.dataset.focus;
	}

	/** The arrow keys move between the streams, and between a stream and its box. */
	#step(event) {
		const {target, key} = event;
		const lines = [...this.list.children];
		const line = target.closest("li");
		const step = {ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity}[key];
		let next;
		if (step) {
			const at = Math.max(0, Math.min(lines.length - 1, lines.indexOf(line) + step));
			next = (target.matches("input") && lines[at].querySelector("input")) || lines[at].querySelector("button");
		} else if (key === "ArrowLeft") next = line.querySelector("input");
		else if (key === "ArrowRight") next = line.querySelector("button");
		else return;
		next?.focus();
		settle(event);
	}

	/** Streams that are empty leave; but nothing moves while the pointer or the keyboard is in the list. */
	#ordered(streams) {
		const chosen = new Set(this.#ids);
		const shown = new Set(this.#order);
		const held = this.list.matches(":hover, :has(:focus-visible)");
		const kept = streams.filter(
			({id, total_events: total, error_events: errors}) => total || errors || chosen.has(id) || (held && shown.has(id)),
		);
		if (held) {
			const place = new Map(this.#order.map((id, position) => [id, position]));
			kept.sort((a, b) => (place.get(a.id) ?? Infinity) - (place.get(b.id) ?? Infinity) || 0);
		}
		return kept;
	}

	#draw() {
		const text = byId("streams-search").value.trim().toLowerCase();
		const unknown = this.#ids.filter(id => !this.#streams.some(stream => stream.id === id));
		const all = [...unknown.map(id => ({id, total_events: 0, error_events: 0, last_active: ""})), ...this.#streams];
		const found = this.#ordered(all).filter(({id}) => id.toLowerCase().includes(text));
		const items = found.slice(0, MOST_SHOWN);
		this.#order = items.map(({id}) => id);
		// The time of the last event changes often: it alone is no reason to build the list again.
		const drawn = JSON.stringify([
			items.map(({id, total_events, error_events}) => [id, total_events, error_events]),
			this.#ids,
			text,
		]);
		if (drawn !== this.#drawn) {
			this.#drawn = drawn;
			const focused = this.list.matches(":focus-within");
			const {scrollTop} = this.list;
			const allStreams = text || !all.length ? [] : [this.#allStreams(all)];
			this.list.replaceChildren(...allStreams, ...items.map(stream => this.#item(stream)));
			this.list.scrollTop = scrollTop;
			const controls = [...this.list.querySelectorAll("[data-focus]")];
			const stop = controls.find(node => node.dataset.focus === this.#stop) ?? controls[0];
			if (focused) stop?.focus();
			if (stop) this.#setStop(stop);
			this.tick();
		}
		const more = found.length - items.length;
		const none = all.length ? "No stream matches" : "No streams yet";
		const hidden = more > 0 ? `${whole(more)} more: use the search` : "";
		showText(byId("streams-more"), found.length ? hidden : none);
	}

	/** Choose one stream or all; a list that covers the rows closes. */
	#only(ids) {
		if (this.#unfolded) this.#unfold(false);
		this.choose(ids);
	}

	#allStreams(streams) {
		const total = streams.reduce((sum, stream) => sum + stream.total_events, 0);
		return el("li", this.#button("All streams", [], !this.#ids.length, {"data-focus": "all"}, totalNode(total)));
	}

	#button(name, ids, pressed, properties, ...counts) {
		const about = {"aria-pressed": String(pressed), onclick: () => this.#only(ids), ...properties};
		return el("button.stream", about, el("span.name", name), ...counts);
	}

	#item(stream) {
		const {id} = stream;
		const chosen = this.#ids.includes(id);
		const toggle = () => this.choose(chosen ? this.#ids.filter(other => other !== id) : [...this.#ids, id]);
		const name = visible(id);
		const title = stream.last_active ? `${name}\nlast active ${ago(Date.parse(stream.last_active))}` : name;
		const about = {type: "checkbox", checked: chosen, "aria-label": `Also show ${name}`, "data-focus": `check ${id}`};
		const only = {title, "data-focus": `only ${id}`};
		return el(
			"li",
			el("input", {...about, onchange: toggle}),
			this.#button(name, [id], chosen, only, lastErrorNode(stream), totalNode(stream.total_events)),
		);
	}
}

const totalNode = total => el("span.total", {title: `${count(total, "event")} cached`}, whole(total));

/** When the last error was. How many are kept says nothing of how many events fail: they are kept apart. */
const lastErrorNode = ({id, error_events: errors}) =>
	errors > 0 && el("span.errors", {"data-id": id, "data-kept": `${count(errors, "error")} kept`}, icon("error"), el("span"));
