/** An hour as bars, one for each minute. A bar that is clicked becomes the time filter. */

import {byId, el, setText, show} from "../lib/dom.js";
import {count, whole} from "../lib/text.js";
import {hourMinute, MINUTE} from "../lib/time.js";

const KINDS = ["error", "skip", "success"];
const HIGHEST = 34; // pixels

export class Histogram {
	#drawn = "";
	#focused = 59;

	constructor(choose) {
		this.choose = choose;
		this.bars = Array.from({length: 60}, (_, index) => this.#bar(index));
		byId("bars").append(...this.bars.map(({node}) => node));
		byId("bars").addEventListener("keydown", event => this.#step(event));
	}

	#bar(index) {
		const parts = Object.fromEntries(KINDS.map(kind => [kind, el(`span.${kind}`)]));
		const node = el("button.minute", {tabIndex: index === 59 ? 0 : -1}, ...Object.values(parts));
		const bar = {node, parts, start: 0};
		node.addEventListener("click", () => this.choose(bar.start, bar.start + MINUTE));
		return bar;
	}

	/** Only one bar can be reached by the Tab key; the arrow keys move to the others. */
	#step(event) {
		const step = {ArrowRight: 1, ArrowLeft: -1, Home: -59, End: 59}[event.key];
		if (!step) return;
		this.bars[this.#focused].node.tabIndex = -1;
		this.#focused = Math.max(0, Math.min(59, this.#focused + step));
		this.bars[this.#focused].node.tabIndex = 0;
		this.bars[this.#focused].node.focus();
		event.preventDefault();
	}

	/**
	 * @param chosen start of the minute that is the time filter, or NaN
	 * @param ended whether the hour does not end now
	 */
	draw(minutes, {chosen = NaN, ended = false} = {}) {
		const sums = minutes.map(({success, error, skip}) => success + error + skip);
		const most = Math.max(...sums);
		show(byId("histogram"), most > 0);
		const drawn = JSON.stringify([minutes, chosen, ended]);
		if (!most || drawn === this.#drawn) return;
		this.#drawn = drawn;
		minutes.forEach((minute, index) => {
			const bar = this.bars[index];
			bar.start = minute.start;
			for (const kind of KINDS) {
				const height = minute[kind] ? Math.max(2, Math.round((minute[kind] / most) * HIGHEST)) : 0;
				bar.parts[kind].style.height = `${height}px`;
			}
			const words = `${hourMinute(minute.start)}: ${count(sums[index], "event")}, ${count(minute.error, "error")}`;
			bar.node.title = words;
			bar.node.setAttribute("aria-label", words);
			bar.node.setAttribute("aria-pressed", String(minute.start === chosen));
		});
		const until = ended ? `60 min until ${hourMinute(minutes.at(-1).start + MINUTE)}` : "60 min";
		setText(byId("histogram-text"), `Cached events, ${until}, up to ${whole(most)}/min`);
	}
}
