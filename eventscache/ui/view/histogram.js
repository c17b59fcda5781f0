/** What is cached over time, as bars. A range of them is chosen by a drag, or by keys, and becomes the time filter. */

import {byId, el, listen, setText, settle, show} from "../lib/dom.js";
import {count, whole} from "../lib/text.js";
import {hourMinute, time} from "../lib/time.js";
import {hasTime} from "../model/filter.js";
import {BARS} from "../model/minute_counts.js";

const KINDS = ["error", "skip", "success"];
const HIGHEST = 21; // pixels
const NO_RANGE = {start: NaN, end: NaN};

export class Histogram {
	#drawn = "";
	#bars = [];
	#at = BARS - 1; // the bar that the keys are at,
	#from = BARS - 1; // and the one where the range that is being chosen begins
	#choosing = false;
	#chosen = NO_RANGE;

	/** @param choose takes the start and the end of a range, in Unix milliseconds */
	constructor(choose) {
		this.choose = choose;
		this.node = byId("histogram");
		this.columns = Array.from({length: BARS}, () => {
			const parts = Object.fromEntries(KINDS.map(kind => [kind, el(`span.${kind}`)]));
			return {parts, node: el("div.minute", ...Object.values(parts))};
		});
		byId("bars").append(...this.columns.map(({node}) => node));
		this.node.ariaValueMax = String(BARS);
		this.node.ariaValueMin = "1";
		this.#listen();
	}

	#listen() {
		const {node} = this;
		const mark = () => this.#mark();
		listen(node, {
			pointerdown: event => {
				if (event.button) return;
				node.setPointerCapture(event.pointerId);
				this.#choosing = true;
				this.#move(this.#barAt(event), false);
			},
			pointermove: event => {
				const bar = this.#barAt(event);
				if (this.#choosing) this.#move(bar, true);
				node.title = this.#words(bar);
			},
			pointerup: () => this.#choosing && this.#apply(),
			pointercancel: () => this.#end(),
			keydown: event => this.#key(event),
			focus: mark,
			blur: mark,
		});
	}

	#barAt({clientX}) {
		const {left, width} = byId("bars").getBoundingClientRect();
		return Math.max(0, Math.min(BARS - 1, Math.floor(((clientX - left) / width) * BARS)));
	}

	#key(event) {
		const step = {ArrowRight: 1, ArrowLeft: -1, PageUp: -10, PageDown: 10, Home: -BARS, End: BARS}[event.key];
		if (step) {
			if (event.shiftKey) this.#choosing = true;
			this.#move(Math.max(0, Math.min(BARS - 1, this.#at + step)), event.shiftKey);
		} else if (event.key === "Enter" || event.key === " ") this.#apply();
		else if (event.key === "Escape" && this.#choosing) this.#end();
		else return;
		settle(event);
	}

	#move(bar, extend) {
		this.#at = bar;
		if (!extend) this.#from = bar;
		this.#mark();
	}

	#end() {
		this.#choosing = false;
		this.#from = this.#at;
		this.#mark();
	}

	#apply() {
		const [first, last] = [this.#from, this.#at].sort((a, b) => a - b);
		const [start, end] = [this.#bars[first].start, this.#bars[last].end];
		this.#end();
		this.choose(start, end);
	}

	/** Return how many events there were in a bar, and how many errors. */
	#words(bar) {
		const {start, end, success, error, skip} = this.#bars[bar];
		return `${time(start)} to ${time(end)}: ${count(success + error + skip, "event")}, ${count(error, "error")}`;
	}

	#mark() {
		const [first, last] = [this.#from, this.#at].sort((a, b) => a - b);
		const focused = this.node.matches(":focus-visible");
		this.columns.forEach(({node}, bar) => {
			const {start, end} = this.#bars[bar] ?? NO_RANGE;
			const chosen = this.#choosing ? bar >= first && bar <= last : start < this.#chosen.end && end > this.#chosen.start;
			node.classList.toggle("chosen", chosen);
			node.classList.toggle("at", focused && bar === this.#at);
		});
		this.node.ariaValueNow = String(this.#at + 1);
		if (this.#bars.length) this.node.ariaValueText = this.#words(this.#at);
	}

	/** Draw the bars, and the range of the filter in them; not while somebody chooses one. */
	draw(minuteCounts, filter) {
		const bars = minuteCounts.bars();
		const ended = Number.isFinite(minuteCounts.endsAt);
		const custom = hasTime(filter) && !filter.range;
		const chosen = custom ? {start: filter.start || 0, end: filter.end || Infinity} : NO_RANGE;
		const sums = bars.map(({success, error, skip}) => success + error + skip);
		const most = Math.max(...sums);
		show(this.node, most > 0);
		const drawn = JSON.stringify([bars, chosen, ended]);
		if (!most || this.#choosing || drawn === this.#drawn) return;
		this.#drawn = drawn;
		this.#bars = bars;
		this.#chosen = chosen;
		bars.forEach((bar, index) => {
			for (const kind of KINDS) {
				const height = bar[kind] ? Math.max(2, Math.round((bar[kind] / most) * HIGHEST)) : 0;
				this.columns[index].parts[kind].style.height = `${height}px`;
			}
		});
		this.#mark();
		const seconds = (bars[0].end - bars[0].start) / 1000;
		setText(byId("axis-start"), ended ? hourMinute(bars[0].start) : `${(seconds * BARS) / 60} min ago`);
		setText(byId("axis-most"), `up to ${whole(most)} in ${seconds} s`);
		setText(byId("axis-end"), ended ? hourMinute(bars.at(-1).end) : "now");
	}
}
