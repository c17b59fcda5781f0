/** The menus of the toolbar. */

import {openMenu} from "../view/menu.js";
import {copyLink} from "./copy.js";
import {exportEvents} from "./export.js";

const exports = filter => [
	["Export as NDJSON", () => exportEvents(filter, "ndjson")],
	["Export as CSV", () => exportEvents(filter, "csv")],
];

export const openExportMenu = (at, filter) => openMenu(at, exports(filter));

/** On a narrow page one menu stands for three buttons. `clear` is null if the token may not clear. */
export const openMoreMenu = (at, filter, clear) =>
	openMenu(at, [...exports(filter), ["Copy link", copyLink], ...(clear ? [["Clear …", clear]] : [])]);
