/** One event in full: what came in, what became of it, how they differ, and the bytes themselves. */

import { copy } from "./clipboard.js";
import { curlFor } from "./curl.js";
import { el, icon, write } from "./dom.js";
import { STATUSES } from "./event.js";
import { member, parse, slice } from "./json.js";
import { MASKED } from "./masked.js";
import { Parts } from "./parts.js";
import { bytes, visible } from "./text.js";
import { ago } from "./time.js";

const TABS = { original: "Original", result: "Result", diff: "Diff", raw: "Raw" };

export class Detail {
  #tab = "original";
  #row = null;
  #root = null;
  #panel = null;
  #since = null;

  /** `acts` has `filter(path, op, value)`, `close()` and `link()`. */
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

  /** The text that `c` copies: what the tab shows. */
  get json() {
    if (!this.#row) return "";
    const { source } = this.#row;
    const part = { original: "original", diff: "original", result: "success" }[this.#tab];
    return slice(source, member(this.#root, part)) || source;
  }

  open(row) {
    if (this.#row?.key === row.key) return;
    this.#row = row;
    try {
      this.#root = parse(row.source);
    } catch {
      this.#root = null; // the raw text is left
    }
    this.#build();
    this.node.hidden = false;
  }

  close() {
    this.#row = null;
    this.node.hidden = true;
    this.node.replaceChildren();
  }

  /** Once a second. */
  tick() {
    if (this.#row) write(this.#since, ago(this.#row.time));
  }

  #text(name) {
    return member(this.#root, name)?.value ?? "";
  }

  #build() {
    const row = this.#row;
    this.#panel = el("div.panel", { id: "detail-panel", role: "tabpanel", tabIndex: 0 });
    const tabs = Object.entries(TABS).map(([name, label]) =>
      el(
        "button",
        {
          type: "button",
          role: "tab",
          id: `detail-${name}`,
          "aria-controls": "detail-panel",
          "data-tab": name,
          on: { click: () => this.#show(name) },
        },
        label,
      ),
    );
    const bar = el("div.tabs", { role: "tablist", "aria-label": "Parts of the event" }, ...tabs);
    bar.addEventListener("keydown", (event) => this.#step(event));
    this.node.replaceChildren(this.#head(), ...this.#story(), bar, this.#panel);
    this.#show(this.#tab);
    this.node.setAttribute("aria-label", `${STATUSES[row.status]}: ${row.type || "event"}`);
  }

  #step(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const names = Object.keys(TABS);
    this.#show(names.at((names.indexOf(this.#tab) + step) % names.length));
    this.node.querySelector(`#detail-${this.#tab}`).focus();
    event.preventDefault();
    event.stopPropagation();
  }

  #head() {
    const row = this.#row;
    const original = slice(row.source, member(this.#root, "original"));
    const button = (label, act, title) => el("button", { type: "button", title, on: { click: act } }, label);
    return el(
      "header.detail-head",
      {},
      el(
        "div.detail-title",
        {},
        el(`span.status.${row.status}`, {}, icon(row.status), STATUSES[row.status]),
        el("h2", {}, row.type || "no type"),
        el(
          "button.quiet.detail-close",
          { type: "button", "aria-label": "Close", title: "Close (Esc)", on: { click: this.acts.close } },
          icon("close"),
        ),
      ),
      el("dl.facts", {}, ...this.#facts()),
      el(
        "p.buttons",
        {},
        button("Copy JSON", () => copy(this.json, "JSON"), "Exactly as it came (c)"),
        original &&
          button("Copy cURL", () => copy(curlFor(original), "cURL command"), "Sends it again; put your token in"),
        button("Copy link", this.acts.link, "Leads to this event"),
      ),
    );
  }

  #facts() {
    const row = this.#row;
    const facts = [
      ["Time", row.timestamp && `${visible(row.timestamp)} `],
      ["Event id", row.id],
      [member(this.#root, "destination_id")?.value ? "Destination" : "API key", visible(row.stream)],
      ["Table", visible(member(member(this.#root, "success"), "table")?.value ?? "")],
      ["Size", bytes(new Blob([row.source]).size)],
      ["Masked", row.masked ? MASKED : ""],
    ];
    const shown = facts
      .filter(([, value]) => value)
      .map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)));
    this.#since = el("span.hint", {}, ago(row.time));
    if (row.timestamp) shown[0].lastChild.append(this.#since);
    return shown;
  }

  /** Why it failed or was skipped, before everything else. */
  #story() {
    const [error, skip] = [this.#text("error"), this.#text("skip")];
    return [
      error && el("div.story.error", {}, el("b", {}, "Error"), el("p", {}, visible(error))),
      skip && el("div.story.skip", {}, el("b", {}, "Skipped"), el("p", {}, visible(skip))),
    ].filter(Boolean);
  }

  #show(name) {
    this.#tab = name;
    for (const tab of this.node.querySelectorAll(".tabs [role=tab]")) {
      tab.setAttribute("aria-selected", tab.dataset.tab === name);
      tab.tabIndex = tab.dataset.tab === name ? 0 : -1;
    }
    this.#panel.setAttribute("aria-labelledby", `detail-${name}`);
    this.#panel.replaceChildren(...new Parts(this.#row, this.#root, this.acts.filter)[name]());
    this.#panel.scrollTop = 0;
  }
}
