/** The dialogs: the token, what to clear, and the help. */

import {byId, el, showText} from "../lib/dom.js";
import {count} from "../lib/text.js";

/** Ask for an admin or read token; resolves to "" if none is given. `fault` says why it is asked for again. */
export function askToken(fault) {
	const dialog = byId("token-dialog");
	if (dialog.open) return Promise.resolve("");
	byId("token").value = "";
	showText(byId("token-fault"), fault);
	return new Promise(resolve => {
		dialog.returnValue = "";
		dialog.querySelector("form").onsubmit = () => {
			dialog.returnValue = "given";
		};
		dialog.onclose = () => {
			// A token in the field would stay in the page.
			const token = dialog.returnValue === "given" ? byId("token").value.trim() : "";
			byId("token").value = "";
			resolve(token);
		};
		dialog.showModal();
	});
}

/** Ask which events to clear; resolves to one of the choices, or null. */
export function askClear(choices) {
	const dialog = byId("clear-dialog");
	const radios = choices.map(({label, events}, index) =>
		el(
			"label.choice",
			el("input", {type: "radio", name: "clear", value: String(index), checked: index === 0}),
			el("span", label),
			el("span.hint", count(events, "event")),
		),
	);
	byId("clear-choices").replaceChildren(byId("clear-choices").firstElementChild, ...radios);
	return new Promise(resolve => {
		dialog.returnValue = "";
		dialog.onclose = () => {
			const chosen = dialog.querySelector("input:checked");
			resolve(dialog.returnValue === "clear" && chosen ? choices[Number(chosen.value)] : null);
		};
		dialog.showModal();
	});
}

export const showHelp = () => byId("help-dialog").showModal();
