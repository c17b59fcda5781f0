/** The menus of the toolbar. */

import {openMenu} from "../view/menu.js";
import {copyLink} from "./copy.js";
import {exportEvents} from "./export.js";

const exports = view => [
	["Export as NDJSON", () => exportEvents(view, "ndjson")],
	["Export as CSV", () => exportEvents(view, "csv")],
];

export const openExportMenu = (at, view) => openMenu(at, exports(view));

/** On a narrow page one menu stands for the buttons. `clear` is null if the token may not clear. */
export const openMoreMenu = (at, view, clear) =>
	openMenu(at, [...view.display.choices, ...exports(view), ["Copy link", copyLink], ...(clear ? [["Clear …", clear]] : [])]);
