/** The keyboard shortcuts: single keys, which do nothing while somebody types. */

import {listen} from "../lib/dom.js";

const TYPING = "input:not([type=checkbox]), textarea, select, [contenteditable]";
const PRESSABLE = "button, a, summary, [role=menuitem], input[type=checkbox]";

/** Call `commands[key]` for keys that no control of the page uses itself. */
export function listenForKeys(commands) {
	listen(document, {keydown: event => {
		if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
		const {target, key} = event;
		if (document.querySelector("dialog[open]")) return; // a dialog has its own keys
		if (target.matches(TYPING)) {
			if (key === "Escape") target.blur();
			return;
		}
		if ((key === " " || key === "Enter") && target.matches(PRESSABLE)) return;
		if (/^(Arrow|Home|End|Page)/.test(key) && !target.matches("[role=listbox], body")) return;
		const command = commands[key];
		if (!command) return;
		event.preventDefault();
		command();
	}});
}
