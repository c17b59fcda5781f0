/** The controls of the filter: they show it, and change it. */

import {byId, el, setText, show} from "../lib/dom.js";
import {fromInput, toInput} from "../lib/time.js";
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
		byId("search").addEventListener("input", () => {
			clearTimeout(this.#typing);
			this.#typing = setTimeout(() => this.#search(), TYPING_MS);
		});
		byId("search").addEventListener("keydown", event => {
			if (event.key === "Enter") this.#search({entered: true});
		});
		byId("status").addEventListener("change", event => change({status: event.target.value}));
		byId("type").addEventListener("change", event => change({type: event.target.value.trim()}));
		byId("range").addEventListener("change", event => this.#range(event.target.value));
		byId("custom").addEventListener("submit", event => {
			event.preventDefault();
			const [start, end] = [fromInput(byId("custom-start").value), fromInput(byId("custom-end").value)];
			change({range: "", start, end});
		});
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

	#range(value) {
		byId("custom").hidden = value !== "custom";
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
			status: filter.status,
			type: filter.type,
			range: custom ? "custom" : filter.range,
		};
		for (const [id, value] of Object.entries(values)) {
			const node = byId(id);
			if (node.value !== value && !(document.activeElement === node && id === "search")) node.value = value;
			node.classList.toggle("in-use", Boolean(value));
		}
		this.#offerStatuses(filter);
		byId("custom").hidden = !custom;
		if (custom) {
			byId("custom-start").value = toInput(filter.start);
			byId("custom-end").value = toInput(filter.end);
		}
	}

	/** Incoming events are received or malformed: none was delivered or skipped yet. */
	#offerStatuses({tab, status}) {
		const incoming = tab === "incoming";
		for (const option of byId("status").options) {
			if (option.value === "success") setText(option, incoming ? "Received" : "Success");
			if (option.value === "skip") show(option, !incoming || status === "skip");
		}
	}

	/** Offer to clear events, or do not. */
	offerClear(offered) {
		show(byId("clear"), offered);
		byId("more").setAttribute("aria-label", `More: export, copy link${offered ? ", clear" : ""}`);
	}

	/** Offer an event type for completion. */
	offerType(type) {
		if (!type || this.#types.has(type) || this.#types.size >= MOST_TYPES) return;
		this.#types.add(type);
		byId("types").append(el("option", {value: type}));
	}
}
