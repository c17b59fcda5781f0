/** The edge of the open event: it is moved by the pointer or the arrow keys, and stays where it was put. */

import {byId, listen, settle} from "../lib/dom.js";

const KEY = "eventscache.drawer";
const [LEAST, USUAL, STEP] = [320, 560, 40]; // pixels
const LIST = 320; // that are left to the list

const most = () => Math.max(LEAST, byId("columns").clientWidth - LIST);

/** Tell screen readers how wide the event is, and may be. */
function tell(width) {
	const [ariaValueMin, ariaValueMax, ariaValueNow] = [LEAST, most(), width].map(String);
	Object.assign(byId("resizer"), {ariaValueMin, ariaValueMax, ariaValueNow});
}

function resize(width) {
	const fit = Math.round(Math.max(LEAST, Math.min(most(), width)));
	document.documentElement.style.setProperty("--drawer", `${fit}px`);
	tell(fit);
	localStorage.setItem(KEY, String(fit));
}

export function listenToResizer() {
	const node = byId("resizer");
	const width = () => byId("detail").offsetWidth;
	listen(node, {
		pointerdown: event => {
			node.setPointerCapture(event.pointerId);
			event.preventDefault(); // no text is selected
			node.focus();
		},
		pointermove: event => {
			if (node.hasPointerCapture(event.pointerId)) resize(byId("columns").getBoundingClientRect().right - event.clientX);
		},
		keydown: event => {
			const step = {ArrowLeft: STEP, ArrowRight: -STEP, Home: Infinity, End: -Infinity}[event.key];
			if (!step) return;
			resize(width() + step);
			settle(event);
		},
		dblclick: () => resize(USUAL),
		focus: () => tell(width()),
	});
	const kept = Number(localStorage.getItem(KEY));
	if (kept) resize(kept);
	else tell(USUAL);
}
