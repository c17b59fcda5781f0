/** The button that leads back to the newest rows while new rows are held back. */

import {byId, setText, show} from "../lib/dom.js";
import {whole} from "../lib/text.js";

/** @param scrolledDown whether the newest rows are out of sight */
export function drawJumpButton({rows, arrivedWhileHeld: arrived, heldBy}, scrolledDown) {
	const shown = Boolean(heldBy) && rows.length > 0 && (arrived > 0 || scrolledDown);
	show(byId("jump"), shown);
	if (shown) setText(byId("jump"), arrived ? `${whole(arrived)} new, jump to latest` : "Jump to latest");
}
