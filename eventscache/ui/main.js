/** Connects the buttons, the keys and the clock to the app. */

import {clearEvents} from "./actions/clear.js";
import {copyLink} from "./actions/copy.js";
import {showHelp} from "./actions/dialogs.js";
import {listenForKeys} from "./actions/keys.js";
import {openExportMenu, openMoreMenu} from "./actions/menus.js";
import {replayOffer} from "./actions/replay.js";
import {App} from "./app.js";
import {byId, listen, setText} from "./lib/dom.js";
import {listenToMenu} from "./view/menu.js";
import {listenToResizer} from "./view/resizer.js";
import {listenToTabs} from "./view/tabs.js";
import {toggleTheme} from "./view/theme.js";
import {toast} from "./view/toast.js";

const TICK_MS = 1000;

const app = new App();

function switchTheme() {
	toast(`Theme: ${toggleTheme()}`);
}

const clicks = {
	theme: switchTheme,
	help: showHelp,
	pause: () => app.selection.togglePause(),
	jump: () => app.selection.jumpToLatest(),
	export: () => openExportMenu(byId("export"), app),
	more: () => openMoreMenu(byId("more"), app),
	replay: () => replayOffer(app.rights, () => app.rowBuffer.rows)(),
	link: copyLink,
	clear: () => clearEvents(app),
	older: () => app.older.load(),
	unfilter: () => app.navigation.clearFilters(),
	"show-last-error": () => app.navigation.change({status: "error"}),
	skip: event => {
		event.preventDefault(); // the fragment of the URL holds the filter
		app.current.focus();
	},
};
for (const [id, click] of Object.entries(clicks)) listen(byId(id), {click});
listenToTabs(tab => app.rights.reads(tab) && app.navigation.change({tab}));
listenToMenu();
listenToResizer();

/** Go to another event. The list gets the focus, so that Enter opens the event and presses no button. */
function move(step) {
	app.current.focus();
	app.current.move(step);
}

/** Filter by the chosen cell of the row, or leave out what has the same. */
function pickCell(excluded) {
	if (app.current === app.selection) app.cellFilters.pick(app.selection.row, app.list.cell, excluded);
}

function togglePause() {
	if (app.current === app.selection) app.selection.togglePause();
}

function moveCell(step) {
	if (app.current === app.selection) setText(byId("counts-live"), app.list.moveCell(step));
}

listenForKeys({
	f: () => pickCell(false),
	x: () => pickCell(true),
	ArrowLeft: () => moveCell(-1),
	ArrowRight: () => moveCell(1),
	j: () => move(1),
	k: () => move(-1),
	ArrowDown: () => app.current.move(1),
	ArrowUp: () => app.current.move(-1),
	Home: () => app.current.move(-Infinity),
	End: () => app.current.move(Infinity),
	PageUp: () => app.current.move(-app.list.page),
	PageDown: () => app.current.move(app.list.page),
	Enter: () => app.current.open(app.current.list.chosen ?? app.current.list.active),
	Escape: () => app.current.close(),
	"/": () => {
		byId("search").focus();
		byId("search").select();
	},
	p: togglePause,
	" ": togglePause,
	b: () => app.display.toggleFold(),
	e: () => app.navigation.toggleErrors(),
	c: () => app.selection.copyJson(),
	t: switchTheme,
	"?": showHelp,
});

listen(document, {visibilitychange: () => app.visibilityChanged(document.hidden)});

setInterval(() => {
	if (!document.hidden) app.tick();
}, TICK_MS);

await app.start();
app.streamRefresh.start();
