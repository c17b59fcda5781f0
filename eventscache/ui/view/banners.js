/** Banners, one for each subject: faults are above the page, all others below the list, so that they move no row. */

import {byId, el, setText} from "../lib/dom.js";
import {visible} from "../lib/text.js";

export class Banners {
	#shown = new Map();

	/** Show a banner, or change the text of one that is shown. One that can be dismissed calls `dismissed`. */
	set(name, {kind = "info", text, why = "", buttons = [], dismissed = null}) {
		const shown = this.#shown.get(name);
		if (shown) {
			setText(shown.text, visible(text));
			return;
		}
		const words = el("p", visible(text));
		const node = el(`div.banner.${kind}`, words);
		const dismiss = () => {
			this.remove(name);
			dismissed();
		};
		if (dismissed) buttons = [["Dismiss", dismiss]];
		if (why) node.append(...explanation(name, why));
		for (const [label, act] of buttons) node.append(el("button.link", {onclick: act}, label));
		byId(kind === "bad" ? "banners" : "notices").append(node);
		setText(byId("announcer"), text); // once: its numbers change every second
		this.#shown.set(name, {node, text: words});
	}

	has(name) {
		return this.#shown.has(name);
	}

	remove(name) {
		this.#shown.get(name)?.node.remove();
		this.#shown.delete(name);
	}
}

function explanation(name, why) {
	const text = el("p.why", {hidden: true, id: `why-${name}`}, why);
	const toggle = () => {
		text.hidden = !text.hidden;
		button.ariaExpanded = String(!text.hidden);
	};
	const button = el("button.link", {"aria-expanded": "false", "aria-controls": text.id, onclick: toggle}, "Why?");
	return [button, text];
}
