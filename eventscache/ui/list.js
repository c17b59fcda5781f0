/** The list: as many nodes as fit, moved about over a canvas as high as all rows. */

import { el, icon, show, write } from "./dom.js";
import { STATUSES } from "./event.js";
import { MASKED, maskTag } from "./masked.js";
import { count, visible } from "./text.js";
import { ago, clock } from "./time.js";

const SPARE = 8; // rows above and below what is seen
const COMPACT_BELOW = 560; // pixels; a row takes two lines then
const HEIGHT = 30;
const COMPACT_HEIGHT = 50;
const UNDER_JUMP = 44; // pixels at the bottom where the button may lie

export class List {
  #rows = [];
  #nodes = new Map();
  #drawn = "";
  #serial = 0;

  /**
   * @param {(key: string) => void} choose called for a row that is clicked
   * @param {() => void} scrolled
   */
  constructor(box, canvas, { choose, scrolled }) {
    this.box = box;
    this.canvas = canvas;
    this.active = "";
    box.addEventListener(
      "scroll",
      () => {
        this.draw();
        scrolled();
      },
      { passive: true },
    );
    box.addEventListener("click", (event) => {
      const key = event.target.closest(".row")?.dataset.key;
      if (key && !getSelection().toString()) choose(key);
    });
    new ResizeObserver(() => this.#resized()).observe(box.parentElement);
    this.#resized();
  }

  #resized() {
    const compact = this.box.parentElement.clientWidth < COMPACT_BELOW;
    this.height = compact ? COMPACT_HEIGHT : HEIGHT;
    this.box.parentElement.classList.toggle("compact", compact);
    this.draw(true);
  }

  /** Whether the newest rows are out of sight. */
  get away() {
    return this.box.scrollTop > this.height;
  }

  get position() {
    return this.#rows.findIndex((row) => row.key === this.active);
  }

  at(position) {
    return this.#rows[Math.max(0, Math.min(position, this.#rows.length - 1))];
  }

  /** Show these rows. */
  set(rows) {
    this.#rows = rows;
    this.draw(true);
  }

  /** Make a row the active one, and bring it into sight. */
  activate(key, { reveal = true } = {}) {
    this.active = key;
    const { position, height, box } = this;
    if (reveal && position >= 0) {
      const top = position * height;
      const room = box.clientHeight - UNDER_JUMP;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top + height > box.scrollTop + room) box.scrollTop = top + height - room;
    }
    this.draw(true);
  }

  focus() {
    this.box.focus({ preventScroll: true });
  }

  toTop() {
    this.box.scrollTop = 0;
  }

  /** Draw what is seen; unless `anew`, only if that changed. */
  draw(anew = false) {
    const { height, box, canvas } = this;
    const first = Math.max(0, Math.floor(box.scrollTop / height) - SPARE);
    const last = Math.min(this.#rows.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + SPARE);
    const drawn = `${first}-${last}`;
    if (!anew && drawn === this.#drawn) return;
    this.#drawn = drawn;
    canvas.style.height = `${this.#rows.length * height}px`;
    const now = Date.now();
    const wanted = new Set();
    for (let position = first; position < last; position += 1) {
      const row = this.#rows[position];
      wanted.add(row.key);
      const node = this.#nodes.get(row.key) ?? this.#build(row);
      node.style.transform = `translateY(${position * height}px)`;
      node.setAttribute("aria-posinset", position + 1);
      node.setAttribute("aria-setsize", this.#rows.length);
      node.setAttribute("aria-selected", row.key === this.active);
      if (row.status !== "gap") write(node.children[2], ago(row.time, now));
    }
    for (const [key, node] of this.#nodes) {
      if (!wanted.has(key)) {
        node.remove();
        this.#nodes.delete(key);
      }
    }
    const active = this.#nodes.get(this.active);
    if (active) box.setAttribute("aria-activedescendant", active.id);
    else box.removeAttribute("aria-activedescendant");
    show(box, this.#rows.length > 0);
  }

  #build(row) {
    const node = row.status === "gap" ? gapRow(row) : eventRow(row);
    node.id = `row-${this.#serial++}`;
    node.dataset.key = row.key;
    this.#nodes.set(row.key, node);
    this.canvas.append(node);
    return node;
  }
}

const cell = (name, text) => el(`span.${name}`, { title: text }, text);

function eventRow(row) {
  return el(
    `div.row.${row.status}`,
    { role: "option" },
    el("span.status", {}, icon(row.status), STATUSES[row.status]),
    el("span.time", { title: row.timestamp }, clock(row.time)),
    el("span.ago"),
    cell("type", row.type || "no type"),
    cell("id", row.id || "–"),
    cell("stream", visible(row.stream)),
    el("span.preview", {}, row.masked && maskTag("masked", MASKED), row.preview),
  );
}

/** What a gap says stands where it is: between the rows before and after. */
function gapRow(row) {
  const name = visible(row.stream);
  const text =
    row.atMost === null
      ? `the numbers of ${name} began anew here, as after a restart in memory; what was before is cached no more`
      : `up to ${count(Number(row.atMost) || 0, "event")} of ${name} came and went unseen here`;
  return el("div.row.gap", { role: "option" }, el("span.status", {}, icon("gap"), "Gap"), el("span.preview", {}, text));
}
