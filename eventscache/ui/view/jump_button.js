/** The button that leads back to the newest rows while new rows are held back. */

import {byId, showText} from "../lib/dom.js";
import {whole} from "../lib/text.js";

/** @param scrolledDown whether the newest rows are out of sight */
export function drawJumpButton({rows, arrivedWhileHeld: arrived, heldBy}, scrolledDown) {
	const words = arrived ? `${whole(arrived)} new, jump to latest` : scrolledDown ? "Jump to latest" : "";
	showText(byId("jump"), heldBy && rows.length ? words : "");
}
