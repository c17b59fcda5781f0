/** Bars above the page, one for each thing to be told. */

import { byId, el, write } from "./dom.js";

export class Notices {
  #shown = new Map();

  /**
   * Show a notice, or change its text.
   * @param {string} name
   * @param {{kind?: string, text: string, why?: string, acts?: [string, () => void][]}} notice
   */
  set(name, { kind = "info", text, why = "", acts = [] }) {
    const shown = this.#shown.get(name);
    if (shown) {
      write(shown.text, text);
      return;
    }
    const words = el("p", {}, text);
    const node = el(`div.notice.${kind}`, { "data-notice": name }, words);
    if (why) {
      const more = el("p.why", { hidden: true, id: `why-${name}` }, why);
      const toggle = () => {
        more.hidden = !more.hidden;
        button.setAttribute("aria-expanded", String(!more.hidden));
      };
      const button = el(
        "button.link",
        { type: "button", "aria-expanded": "false", "aria-controls": more.id, on: { click: toggle } },
        "Why?",
      );
      node.append(button, more);
    }
    for (const [label, act] of acts) node.append(el("button.link", { type: "button", on: { click: act } }, label));
    byId("notices").append(node);
    write(byId("announcer"), text); // once: its numbers go on changing
    this.#shown.set(name, { node, text: words });
  }

  has(name) {
    return this.#shown.has(name);
  }

  remove(name) {
    this.#shown.get(name)?.node.remove();
    this.#shown.delete(name);
  }
}
