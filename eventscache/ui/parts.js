/** The four parts of an event: each is made when it is looked at. */

import { copy } from "./clipboard.js";
import { columns, differences } from "./diff.js";
import { el } from "./dom.js";
import { member, parse, slice } from "./json.js";
import { tagOfJson } from "./masked.js";
import { openMenu } from "./menu.js";
import { rowsTable } from "./table.js";
import { count, visible, whole } from "./text.js";
import { Tree } from "./tree.js";

const DIFFERENCES = {
  changed: ["Changed", ["Field", "Original", "Result"]],
  retyped: ["Same value, other type", ["Field", "Original", "Result"]],
  renamed: ["Renamed", ["In the original", "In the result", "Value"]],
  added: ["Added", ["Field", "Result"]],
  left: ["Left out", ["Field", "Original"]],
  same: ["The same", ["Field", "Value"]],
};

export class Parts {
  #row;
  #root;
  #filter;

  /** @param {(path: string, op: string, value: string) => void} filter */
  constructor(row, root, filter) {
    this.#row = row;
    this.#root = root;
    this.#filter = filter;
  }

  original() {
    const original = member(this.#root, "original");
    if (original) return this.#tree(original, { filters: true });
    const malformed = member(this.#root, "malformed")?.value;
    if (malformed)
      return [el("p.hint", {}, "This was no JSON; as far as it was kept:"), el("pre", {}, visible(malformed))];
    return [el("p.hint", {}, "This record holds no original.")];
  }

  #tree(node, { filters = false } = {}) {
    const { source, masked } = this.#row;
    const tree = new Tree(source, node, (value, at) => this.#offer(value, at, filters), { masked });
    const button = (label, act) => el("button.quiet", { type: "button", on: { click: act } }, label);
    return [
      el(
        "p.panel-tools",
        {},
        button("Expand all", () => tree.expandAll()),
        button("Collapse all", () => tree.collapseAll()),
      ),
      tree.node,
    ];
  }

  /** A value of the event as a table shows it. */
  #shown = (raw) => (this.#row.masked && tagOfJson(raw)) || visible(raw);

  /** What can be done with a value; filters look into originals only. */
  #offer({ path, node, raw }, at, filters) {
    const value = node.kind === "string" ? node.value : raw;
    const filtering = [
      ["Filter by this", () => this.#filter(path, "=", value)],
      ["Exclude this", () => this.#filter(path, "!=", value)],
    ];
    openMenu(at, [
      ...(filters ? filtering : []),
      ["Copy value", () => copy(value, "Value")],
      ["Copy path", () => copy(path, "Path")],
    ]);
  }

  result() {
    const success = member(this.#root, "success");
    if (!success) return [el("p.hint", {}, this.#noResult())];
    const { source } = this.#row;
    const table = columns(source, success);
    if (table) {
      const sorted = table.toSorted((a, b) => (a.field < b.field ? -1 : 1));
      return [
        rowsTable(
          ["Field", "Type", "Value"],
          sorted.map(({ field, type, value }) => [field, type, value]),
          this.#shown,
        ),
      ];
    }
    return member(success, "url") || member(success, "method") ? this.#http(success) : this.#tree(success);
  }

  #noResult() {
    const words = {
      error: "The destination took nothing; the error is above.",
      malformed: "What is no JSON goes to no destination.",
      skip: "The event was skipped, for the reason above.",
      received: "Incoming events have no result yet. What became of them is under Processed.",
    };
    return words[this.#row.status] ?? "There is no result yet.";
  }

  #http(success) {
    const headers = member(success, "headers")?.entries ?? [];
    const body = member(success, "body")?.value ?? "";
    const { source } = this.#row;
    let shown = el("pre", {}, visible(body));
    try {
      shown = new Tree(body, parse(body), (value, at) => this.#offer(value, at), { masked: this.#row.masked }).node;
    } catch {
      // no JSON: as text
    }
    return [
      el(
        "p.request",
        {},
        el("b", {}, visible(member(success, "method")?.value ?? "GET")),
        " ",
        visible(member(success, "url")?.value ?? ""),
      ),
      headers.length
        ? rowsTable(
            ["Header", "Value"],
            headers.map(([name, node]) => [name, slice(source, node)]),
            (raw) => (this.#row.masked && tagOfJson(raw)) || visible(raw.startsWith('"') ? JSON.parse(raw) : raw),
          )
        : "",
      body ? el("h3", {}, "Body") : "",
      body ? shown : "",
    ];
  }

  diff() {
    const found = differences(this.#row.source, member(this.#root, "original"), member(this.#root, "success"), parse);
    if (!found) return [el("p.hint", {}, `There is nothing to compare. ${this.#noResult()}`)];
    return Object.entries(DIFFERENCES)
      .filter(([kind]) => found[kind].length)
      .map(([kind, [label, heads]]) => {
        const title = `${label}, ${count(found[kind].length, "field")}`;
        return el(
          `details.difference.${kind}`,
          { open: kind !== "same" },
          el("summary", {}, title),
          rowsTable(heads, found[kind], this.#shown),
        );
      });
  }

  raw() {
    const { source } = this.#row;
    return [
      el(
        "p.panel-tools",
        {},
        el("span.hint", {}, `${whole(source.length)} characters, as the API gives them`),
        el("button.quiet", { type: "button", on: { click: () => copy(source, "Record") } }, "Copy all"),
      ),
      el("pre.raw", {}, visible(source)),
    ];
  }
}
