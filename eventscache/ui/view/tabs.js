/** The two tabs, Processed and Incoming, with how many events each has. */

import { byId, setText, show } from "../lib/dom.js";
import { whole } from "../lib/text.js";

export const OTHER_TAB = { processed: "incoming", incoming: "processed" };
export const TAB_LABELS = { processed: "Processed", incoming: "Incoming" };

const buttonOf = (tab) => byId(`tab-${tab}`);

/** @param {(tab: string) => void} choose called with the tab that is clicked, or reached by an arrow key */
export function listenToTabs(choose) {
	for (const [tab, other] of Object.entries(OTHER_TAB)) {
		buttonOf(tab).addEventListener("click", () => choose(tab));
		buttonOf(tab).addEventListener("keydown", (event) => {
			if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
			choose(other);
			buttonOf(other).focus();
			event.preventDefault();
		});
	}
}

/** @param {{reads: (tab: string) => boolean}} rights of the token: a tab that it may not read is left out */
export function drawTabs(chosen, streams, rights) {
	for (const tab of Object.keys(OTHER_TAB)) {
		const button = buttonOf(tab);
		show(button, rights.reads(tab));
		button.setAttribute("aria-selected", String(tab === chosen));
		button.tabIndex = tab === chosen ? 0 : -1;
		if (tab === chosen) byId("events").setAttribute("aria-labelledby", button.id);
		const total = streams.totalEvents(tab);
		setText(button.querySelector(".count"), total ? whole(total) : "");
	}
}
