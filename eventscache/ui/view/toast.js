/** A short message at the bottom of the page. */

import {byId, setText} from "../lib/dom.js";
import {visible} from "../lib/text.js";

const SHOWN_MS = 2500;
let hiding;

export function toast(text) {
	const node = byId("toast");
	setText(node, visible(text));
	node.classList.add("shown");
	clearTimeout(hiding);
	hiding = setTimeout(() => node.classList.remove("shown"), SHOWN_MS);
}
