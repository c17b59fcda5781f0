/** The last hour as bars, a minute each; one that is clicked becomes the time filter. */

import { byId, el, show, write } from "./dom.js";
import { count, whole } from "./text.js";
import { hourMinute, MINUTE } from "./time.js";

const KINDS = ["error", "skip", "success"];
const TALLEST = 34; // pixels

export class Hour {
  #drawn = "";
  #focused = 59;

  /** @param {(start: number, end: number) => void} choose */
  constructor(choose) {
    this.choose = choose;
    this.bars = Array.from({ length: 60 }, (_, index) => this.#bar(index));
    byId("bars").append(...this.bars.map(({ node }) => node));
    byId("bars").addEventListener("keydown", (event) => this.#step(event));
  }

  #bar(index) {
    const parts = Object.fromEntries(KINDS.map((kind) => [kind, el(`span.${kind}`)]));
    const node = el("button.minute", { type: "button", tabIndex: index === 59 ? 0 : -1 }, ...Object.values(parts));
    const bar = { node, parts, start: 0 };
    node.addEventListener("click", () => this.choose(bar.start, bar.start + MINUTE));
    return bar;
  }

  /** One of sixty takes the focus; arrows move it. */
  #step(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -59, End: 59 }[event.key];
    if (!step) return;
    this.bars[this.#focused].node.tabIndex = -1;
    this.#focused = Math.max(0, Math.min(59, this.#focused + step));
    this.bars[this.#focused].node.tabIndex = 0;
    this.bars[this.#focused].node.focus();
    event.preventDefault();
  }

  /** @param {{start: number, success: number, error: number, skip: number}[]} minutes */
  draw(minutes, { chosen = NaN, frozen = false } = {}) {
    const sums = minutes.map(({ success, error, skip }) => success + error + skip);
    const most = Math.max(...sums);
    show(byId("hour"), most > 0);
    const drawn = JSON.stringify([minutes, chosen, frozen]);
    if (!most || drawn === this.#drawn) return;
    this.#drawn = drawn;
    minutes.forEach((minute, index) => {
      const bar = this.bars[index];
      bar.start = minute.start;
      for (const kind of KINDS) {
        const height = minute[kind] ? Math.max(2, Math.round((minute[kind] / most) * TALLEST)) : 0;
        bar.parts[kind].style.height = `${height}px`;
      }
      const words = `${hourMinute(minute.start)}: ${count(sums[index], "event")}, ${count(minute.error, "error")}`;
      bar.node.title = words;
      bar.node.setAttribute("aria-label", words);
      bar.node.setAttribute("aria-pressed", String(minute.start === chosen));
    });
    const until = frozen ? `60 min until ${hourMinute(minutes.at(-1).start + MINUTE)}` : "60 min";
    write(byId("hour-text"), `Cached events, ${until}, up to ${whole(most)}/min`);
  }
}
