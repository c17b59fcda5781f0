/** Tables of texts. */

import { el } from "./dom.js";
import { visible, whole } from "./text.js";

const AT_ONCE = 200; // rows, then as many more on demand

/**
 * A table of texts that shows so many rows, and more on demand.
 * @param {(text: string) => string | Node} shown what a cell holds for a text
 */
export function rowsTable(heads, rows, shown = visible) {
  const body = el("tbody");
  const button = el("button.more", { type: "button", on: { click: () => add() } });
  const add = () => {
    const built = body.children.length;
    body.append(
      ...rows
        .slice(built, built + AT_ONCE)
        .map(([name, ...values]) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, visible(name)),
            ...values.map((value) => el("td", {}, shown(value))),
          ),
        ),
    );
    const left = rows.length - body.children.length;
    button.textContent = `Show ${whole(Math.min(AT_ONCE, left))} more of ${whole(rows.length)}`;
    button.hidden = left === 0;
  };
  add();
  return el(
    "div.table",
    {},
    el("table", {}, el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))), body),
    button,
  );
}
