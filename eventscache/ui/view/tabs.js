/** The tabs: Processed and Incoming, with how many events each has, and Errors. */

import {byId, listen, setText, show} from "../lib/dom.js";
import {whole} from "../lib/text.js";

export const OTHER_TAB = {processed: "incoming", incoming: "processed"};
export const TAB_LABELS = {processed: "Processed", incoming: "Incoming"};
const TABS = [...Object.keys(OTHER_TAB), "errors"];

const buttonOf = tab => byId(`tab-${tab}`);

/** @param choose called with the tab that is clicked, or reached by an arrow key */
export function listenToTabs(choose) {
	for (const tab of TABS) {
		listen(buttonOf(tab), {
			click: () => choose(tab),
			keydown: event => {
				const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
				if (!step) return;
				const shown = TABS.filter(name => !buttonOf(name).hidden);
				const other = shown.at((shown.indexOf(tab) + step) % shown.length);
				choose(other);
				buttonOf(other).focus();
				event.preventDefault();
			},
		});
	}
}

/** @param rights of the token: a tab that it may not read is left out */
export function drawTabs(chosen, streams, rights) {
	for (const tab of TABS) {
		const button = buttonOf(tab);
		show(button, rights.reads(tab));
		button.ariaSelected = String(tab === chosen);
		button.tabIndex = tab === chosen ? 0 : -1;
		if (tab === "errors") continue;
		if (tab === chosen) byId("events").setAttribute("aria-labelledby", button.id);
		const total = streams.totalEvents(tab);
		setText(button.querySelector(".count"), total ? whole(total) : "");
	}
}
