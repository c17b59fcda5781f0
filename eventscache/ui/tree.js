/** A JSON tree that builds only what is open: an event of any size is there at once. */

import { el } from "./dom.js";
import { children } from "./json.js";
import { tagOfJson } from "./masked.js";
import { joinPath } from "./path.js";
import { count, visible, whole } from "./text.js";

const AT_ONCE = 200; // children shown, then as many more on demand
const OPEN_AT_FIRST = 60; // nodes; what is small is open from the start
const LONG = 400; // characters of a string
const PER_FRAME = 400; // nodes built by "expand all" before the browser may draw
const DEEPEST_INDENT = 24;

const SUMMED_UP = 4;

function summary(node) {
  if (node.kind === "array") return `[ ${count(node.items.length, "item")} ]`;
  const keys = node.entries.slice(0, SUMMED_UP).map(([key]) => visible(String(key)).slice(0, 30));
  const more = node.entries.length > SUMMED_UP ? `, … ${whole(node.entries.length)} fields` : "";
  return node.entries.length ? `{ ${keys.join(", ")}${more} }` : "{}";
}

export class Tree {
  #branches = [];
  #building = 0;

  /**
   * @param {string} text what was parsed
   * @param {boolean} masked whether values in it may have been masked
   * @param {(what: object, at: Element) => void} chosen called with `{keys, path, node, raw}` of a value that is clicked
   */
  constructor(text, root, chosen, { masked = false } = {}) {
    this.text = text;
    this.masked = masked;
    this.chosen = chosen;
    this.node = el("div.tree");
    this.#fill(this.node, root, []);
    let budget = OPEN_AT_FIRST;
    for (const branch of this.#branches) {
      budget -= children(branch.value).length;
      if (budget < 0) break;
      branch.open();
    }
  }

  /** Open every branch, a part in each frame. */
  expandAll() {
    const building = ++this.#building;
    let next = 0;
    const part = () => {
      if (building !== this.#building || (next && !this.node.isConnected)) return;
      for (let built = 0; next < this.#branches.length && built < PER_FRAME; next += 1) {
        built += 1 + Math.min(AT_ONCE, children(this.#branches[next].value).length);
        this.#branches[next].open();
      }
      if (next < this.#branches.length) requestAnimationFrame(part);
    };
    part();
  }

  collapseAll() {
    this.#building += 1;
    for (const branch of this.#branches) branch.close();
  }

  /** Add lines for the children of a node, from the one at `from`. */
  #fill(parent, node, keys, from = 0) {
    const all = children(node);
    for (const [key, child] of all.slice(from, from + AT_ONCE)) {
      parent.append(this.#line(key, child, [...keys, key]));
    }
    const shown = from + AT_ONCE;
    if (all.length > shown) {
      const more = () => {
        button.remove();
        this.#fill(parent, node, keys, shown);
      };
      const label = `Show ${whole(Math.min(AT_ONCE, all.length - shown))} more of ${whole(all.length)}`;
      const button = el("button.more", { type: "button", on: { click: more } }, label);
      parent.append(button);
    }
  }

  #line(key, node, keys) {
    const name = el("span.key", {}, typeof key === "number" ? String(key) : visible(key));
    return children(node).length ? this.#branch(name, node, keys) : this.#leaf(name, node, keys);
  }

  #leaf(name, node, keys) {
    const raw = this.text.slice(node.start, node.end);
    const shown = visible(raw.length > LONG ? `${raw.slice(0, LONG)}…` : raw);
    const choose = (event) => this.chosen({ keys, path: joinPath(keys), node, raw }, event.currentTarget);
    const value = el(
      `button.value.${node.kind}`,
      { type: "button", "aria-haspopup": "menu", on: { click: choose } },
      (this.masked && tagOfJson(raw)) || shown,
    );
    const line = el("div.line", {}, name, value);
    if (raw.length > LONG) {
      const whenAsked = () => {
        value.textContent = visible(raw);
        all.remove();
      };
      const all = el(
        "button.more",
        { type: "button", on: { click: whenAsked } },
        `Show all ${whole(raw.length)} characters`,
      );
      line.append(all);
    }
    return line;
  }

  #branch(name, node, keys) {
    const inner = el("div.children", { hidden: true });
    if (keys.length <= DEEPEST_INDENT) inner.classList.add("indented");
    const toggle = el(
      "button.toggle",
      { type: "button", "aria-expanded": "false" },
      name,
      el("span.summary", {}, summary(node)),
    );
    const branch = {
      value: node,
      open: () => {
        if (!inner.hidden) return;
        if (!inner.firstChild) this.#fill(inner, node, keys);
        inner.hidden = false;
        toggle.setAttribute("aria-expanded", "true");
      },
      close: () => {
        inner.hidden = true;
        toggle.setAttribute("aria-expanded", "false");
      },
    };
    toggle.addEventListener("click", () => (inner.hidden ? branch.open() : branch.close()));
    this.#branches.push(branch);
    return el("div.branch", {}, toggle, inner);
  }
}
