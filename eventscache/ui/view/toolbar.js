/** The controls of the filter: they show it, and change it. */

import {byId, el, listen, show, showText} from "../lib/dom.js";
import {dateMinute, fromInput, hourMinute, MINUTE, time, toInput} from "../lib/time.js";
import {isUnfinished, parseField} from "../model/field.js";
import {hasTime} from "../model/filter.js";

const TYPING_MS = 300; // after the last key, a text is searched for
const MOST_TYPES = 100;

export class Toolbar {
	#types = new Set();
	#typing;

	/**
	 * @param change called with what a control changes
	 * @param filter returns the current one
	 */
	constructor(change, filter) {
		this.change = change;
		this.filter = filter;
		listen(byId("search"), {
			input: () => {
				clearTimeout(this.#typing);
				this.#typing = setTimeout(() => this.#search(), TYPING_MS);
			},
			keydown: ({key}) => key === "Enter" && this.#search({entered: true}),
		});
		listen(byId("type"), {change: ({target}) => change({type: target.value.trim()})});
		listen(byId("range"), {change: ({target}) => this.#range(target.value)});
		listen(byId("custom"), {submit: event => {
			event.preventDefault();
			this.#applyCustom(fromInput(byId("custom-start").value), fromInput(byId("custom-end").value));
		}});
		listen(byId("custom-cancel"), {click: () => this.set(filter())});
	}

	/** A text is searched for while it is typed, a field filter takes effect with Enter. */
	#search({entered = false} = {}) {
		clearTimeout(this.#typing);
		const text = byId("search").value.trim();
		const field = parseField(text);
		if (field && entered) {
			byId("search").value = "";
			this.change({q: "", fields: [...this.filter().fields, field]});
		} else if (!field && (entered || !isUnfinished(text)) && text !== this.filter().q) {
			this.change({q: text});
		}
	}

	/** A range that is upside down is refused. */
	#applyCustom(start, end) {
		const fault = end <= start ? "The range must end after it begins" : "";
		showText(byId("custom-fault"), fault);
		if (!fault) {
			byId("custom").hidden = true;
			this.change({range: "", start, end});
		}
	}

	#range(value) {
		byId("custom").hidden = value !== "custom";
		if (value === "chosen") return;
		if (value !== "custom") {
			this.change({range: value, start: NaN, end: NaN});
			return;
		}
		const {start, end} = this.filter();
		byId("custom-start").value = toInput(Number.isFinite(start) ? start : Date.now() - 3_600_000);
		byId("custom-end").value = toInput(end);
		byId("custom-start").focus();
	}

	/** Show a filter. A text that somebody is typing stays. */
	set(filter) {
		const custom = hasTime(filter) && !filter.range;
		const values = {
			search: filter.q,
			type: filter.type,
			range: custom ? "chosen" : filter.range,
		};
		const words = custom ? rangeWords(filter) : "";
		showText(byId("chosen"), words);
		byId("range").title = words && `${words} UTC`;
		for (const [id, value] of Object.entries(values)) {
			const node = byId(id);
			if (node.value !== value && !(document.activeElement === node && id === "search")) node.value = value;
			node.classList.toggle("in-use", Boolean(value));
		}
		byId("custom").hidden = true;
	}

	/** Offer what the token of the page may do. */
	offer(rights) {
		show(byId("replay"), rights.targets.length > 0);
		show(byId("clear"), rights.may("clear"));
	}

	/** Offer an event type for completion. */
	offerType(type) {
		if (!type || this.#types.has(type) || this.#types.size >= MOST_TYPES) return;
		this.#types.add(type);
		byId("types").append(el("option", {value: type}));
	}
}

/** A range such as `21:18 – 21:20`; with seconds and with the date if it needs them. */
function rangeWords({start, end}) {
	const ends = [start, end].filter(Number.isFinite);
	const write = ends.some(ms => ms % MINUTE) ? time : hourMinute;
	const [date, ...others] = [Date.now(), ...ends].reverse().map(ms => dateMinute(ms).slice(0, 10));
	const dated = ms => `${dateMinute(ms).slice(0, 10)} ${write(ms)}`;
	const first = others.every(other => other === date) ? write : dated;
	if (ends.length === 1) return Number.isFinite(start) ? `from ${first(start)}` : `to ${first(end)}`;
	return `${first(start)} – ${(others[0] === date ? write : dated)(end)}`;
}
