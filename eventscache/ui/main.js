/** Ties the page's controls and the clock to the app. */

import { App } from "./app.js";
import { toast } from "./clipboard.js";
import { showHelp } from "./dialogs.js";
import { byId } from "./dom.js";
import { listenForKeys } from "./keys.js";
import { prepareMenu } from "./menu.js";
import { toggleTheme } from "./theme.js";

const TICK_MS = 1000;
const STREAMS_EVERY_MS = 5000;
const FEW_STREAMS = 100; // read them more often then
const MANY_STREAMS = 500; // and less often then
const WAITING_EVERY_MS = 800; // while nothing is there: the first event may come to the other tab

const app = new App();

function switchTheme() {
  toast(`Theme: ${toggleTheme()}`);
}

function clicks(acts) {
  for (const [id, act] of Object.entries(acts)) byId(id).addEventListener("click", act);
}

clicks({
  theme: switchTheme,
  help: showHelp,
  pause: () => app.reader.togglePause(),
  jump: () => app.reader.follow(),
  export: () => app.offerExport(byId("export")),
  more: () => app.offerMore(byId("more")),
  link: () => app.copyLink(),
  clear: () => app.askClear(),
  older: () => app.loadOlder(),
  "tab-processed": () => app.change({ tab: "processed" }),
  "tab-incoming": () => app.change({ tab: "incoming" }),
  skip: (event) => {
    event.preventDefault(); // the fragment is the view's
    byId("list").focus();
  },
});
byId("last-error")
  .querySelector("button")
  .addEventListener("click", () => app.change({ status: "error" }));

document.querySelector(".top .tabs").addEventListener("keydown", (event) => {
  if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
  const tab = app.filter.tab === "incoming" ? "processed" : "incoming";
  app.change({ tab });
  byId(`tab-${tab}`).focus();
  event.preventDefault();
});

/** Go to another event; the list takes the focus, so that Enter opens it and presses no button. */
function move(step) {
  app.list.focus();
  app.reader.move(step);
}

listenForKeys({
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => app.reader.move(1),
  ArrowUp: () => app.reader.move(-1),
  Enter: () => app.reader.open(app.list.active),
  Escape: () => app.reader.close(),
  "/": () => {
    byId("search").focus();
    byId("search").select();
  },
  p: () => app.reader.togglePause(),
  " ": () => app.reader.togglePause(),
  e: () => app.toggleErrors(),
  c: () => app.reader.copyJson(),
  t: switchTheme,
  "?": showHelp,
});
prepareMenu();

document.addEventListener("visibilitychange", () => app.visibilityChanged(document.hidden));
addEventListener("popstate", () => app.navigated());

setInterval(() => {
  if (!document.hidden) app.tick();
}, TICK_MS);

let reading;

function readStreamsIn(ms) {
  clearTimeout(reading);
  reading = setTimeout(readStreams, ms);
}

/** When to read the streams next. */
function pauseMs() {
  if (!app.known.of(app.filter.tab).length) return WAITING_EVERY_MS;
  if (app.known.count <= FEW_STREAMS) return STREAMS_EVERY_MS / 2;
  return app.known.count > MANY_STREAMS ? 6 * STREAMS_EVERY_MS : STREAMS_EVERY_MS;
}

async function readStreams() {
  if (app.status.live) await app.refreshStreams().catch(() => {}); // the stream tells what is wrong
  readStreamsIn(pauseMs());
}

let soon = false;
app.streamsChanged = () => {
  if (soon) return;
  soon = true;
  setTimeout(() => {
    soon = false;
    readStreams();
  }, WAITING_EVERY_MS);
};

await app.start();
readStreamsIn(pauseMs());
