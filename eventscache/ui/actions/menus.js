/** The menus of the toolbar. */

import {byId} from "../lib/dom.js";
import {openMenu} from "../view/menu.js";
import {copyLink} from "./copy.js";
import {exportEvents} from "./export.js";

const exports = view => [
	["Export as NDJSON", () => exportEvents(view, "ndjson")],
	["Export as CSV", () => exportEvents(view, "csv")],
];

export const openExportMenu = (at, view) => openMenu(at, exports(view));

/** On a narrow page one menu stands for several buttons, of those that are offered. */
export function openMoreMenu(at, view) {
	const offered = ["replay", "clear"].map(id => byId(id)).filter(button => !button.hidden);
	const more = offered.map(button => [button.textContent, () => button.click()]);
	openMenu(at, [...view.display.choices, ...exports(view), ["Copy link", copyLink], ...more]);
}
