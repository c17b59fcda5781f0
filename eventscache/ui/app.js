/** The page: what comes in goes to the rows, what is chosen goes to the URL and from there to the server. */

import * as api from "./api.js";
import { Arrivals } from "./arrivals.js";
import { drawChips } from "./chips.js";
import { clearEvents } from "./clearing.js";
import { copy, toast } from "./clipboard.js";
import { Detail } from "./detail.js";
import { askToken } from "./dialogs.js";
import { byId, show, write } from "./dom.js";
import { readEvent } from "./event.js";
import { exportEvents } from "./exporting.js";
import { Feed, MOST_ROWS } from "./feed.js";
import * as filters from "./filter.js";
import { Hour } from "./hour.js";
import { Known, MOST_FOLLOWED } from "./known.js";
import { List } from "./list.js";
import { Live } from "./live.js";
import { openMenu } from "./menu.js";
import { Notices } from "./notices.js";
import { showLoading, showNoEvents, showNoMatch, showRows, showTeaching } from "./nothing.js";
import { Older } from "./older.js";
import { Picker } from "./picker.js";
import { Reader } from "./reader.js";
import { Status } from "./status.js";
import { Tally } from "./tally.js";
import { count, whole } from "./text.js";
import { Toolbar } from "./toolbar.js";

const MOST_FAILING = 20; // streams that are asked for their last error
const OTHER = { processed: "incoming", incoming: "processed" };
const LABELS = { processed: "Processed", incoming: "Incoming" };

export class App {
  filter = filters.fromHash(location.hash);
  feed = new Feed();
  tally = new Tally();
  notices = new Notices();
  known = new Known();
  older = new Older();
  #fresh = false; // rows of another view are still there
  #openedAt = 0;
  #tallied = "";
  #limitedOf = "";
  #frozenAt = NaN;
  #tabChosen = Boolean(location.hash);
  #gaps = 0;

  constructor() {
    this.list = new List(byId("list"), byId("canvas"), {
      choose: (key) => this.reader.open(key),
      scrolled: () => this.reader.scrolled(),
    });
    this.detail = new Detail(byId("detail"), {
      close: () => this.reader.close(),
      link: () => this.copyLink(),
      filter: (path, op, value) => this.change({ fields: [...this.filter.fields, { path, op, value }] }),
    });
    this.reader = new Reader(this, { draw: () => this.draw(), opened: (uid) => this.#opened(uid) });
    this.arrivals = new Arrivals((rows, history) => this.#addRows(rows, history));
    this.toolbar = new Toolbar(
      (change) => this.change(change),
      () => this.filter,
    );
    this.picker = new Picker((ids) => this.change({ ids }));
    this.hour = new Hour((start, end) => this.#chooseMinute(start, end));
    this.live = new Live(
      (frame) => this.#hear(frame),
      (state, detail) => this.#tell(state, detail),
    );
    this.status = new Status(this.notices, {
      retry: () => this.live.retry(),
      enterToken: () => this.#askToken(""),
    });
  }

  async start() {
    showLoading();
    this.#drawControls();
    try {
      await this.refreshStreams();
    } catch (fault) {
      if (fault.status === 401 || fault.status === 403) {
        this.#tell("refused", { fault });
        return;
      } // all else is told when the stream opens, and tried again
    }
    this.look();
  }

  /** Look at what the filter says, from the beginning. */
  look() {
    const { filter } = this;
    this.arrivals.begin();
    this.#fresh = true;
    const streams = JSON.stringify([filter.tab, filter.ids]);
    if (streams !== this.#limitedOf) this.status.forgetLimited();
    this.#limitedOf = streams;
    this.older.begin(this.#history());
    this.#openedAt = Date.now();
    if (!filters.hasTime(filter) || this.#tallied !== filters.scope(filter)) {
      this.tally.reset();
      this.#tallied = filters.scope(filter);
    }
    this.#frozenAt = Number.isFinite(filter.end) ? Math.max(filter.end, this.#openedAt) : NaN;
    if (this.feed.held !== "button") this.feed.held = this.detail.key ? "open" : "";
    this.live.open((resumed) => {
      const parameters = filters.serverParameters(filter);
      if (!resumed) parameters.set("history", String(this.#history()));
      return parameters;
    });
    this.#drawControls();
    this.#tellUnfollowed();
    this.askLastError();
  }

  /** How much of each stream to begin with, so that all together fill the list. */
  #history() {
    const streams = Math.min(this.known.inView(this.filter).length, MOST_FOLLOWED) || 1;
    return Math.max(10, Math.min(MOST_ROWS, Math.floor((2 * MOST_ROWS) / streams)));
  }

  /** Change the filter: the URL, the controls and the stream follow. */
  change(change) {
    if ("tab" in change || "ids" in change) this.#tabChosen = true;
    if ("tab" in change && change.tab !== this.filter.tab) {
      change = { ids: [], uid: "", ...change };
      if (change.tab === "incoming" && this.filter.status === "skip") change.status = ""; // nothing is skipped there
    }
    const before = filters.toHash({ ...this.filter, uid: "" });
    this.filter = { ...this.filter, ...change };
    const after = filters.toHash({ ...this.filter, uid: "" });
    if (before === after && !("tab" in change)) return;
    this.#remember("q" in change ? "replaceState" : "pushState");
    if (!this.filter.uid) this.reader.close();
    this.list.toTop();
    this.look();
  }

  #remember(how) {
    history[how](null, "", filters.toHash(this.filter) || location.pathname);
  }

  /** Somebody went back, or put another address in. */
  navigated() {
    const filter = filters.fromHash(location.hash);
    const same = filters.toHash({ ...filter, uid: "" }) === filters.toHash({ ...this.filter, uid: "" });
    this.filter = { ...filter, uid: "" }; // so that closing an event changes no address
    this.reader.close();
    this.filter = filter;
    if (same) this.#openSelected();
    else this.look();
  }

  // What the stream says.

  #hear({ event, data }) {
    if (event === "event") {
      this.#take(data);
      return;
    }
    let told;
    try {
      told = JSON.parse(data);
    } catch {
      return;
    }
    const acts = {
      ready: () => this.#becomeReady(),
      counters: () => this.status.count(told),
      gap: () => this.#takeGap(told),
      cleared: () => this.#forget(told.id),
      away: () => this.#becomeAway(),
      back: () => this.status.back(),
    };
    if (Object.hasOwn(acts, event)) acts[event]();
  }

  #take(source) {
    const read = readEvent(source);
    if (!read) return;
    if (!this.arrivals.ready) this.older.look(read.row);
    if (!filters.matchesFields(source, this.filter.fields)) return;
    const { row } = read;
    this.tally.add(row);
    this.toolbar.offerType(typeof read.event.original?.event_type === "string" ? row.type : "");
    if (this.filter.status !== "error" && (row.status === "error" || row.status === "malformed"))
      this.status.sawError(row.time);
    if (!this.known.has(this.filter.tab, row.stream)) this.streamsChanged();
    this.arrivals.add(row);
  }

  #takeGap({ id, at_most: atMost }) {
    this.#gaps += 1;
    if (atMost === null) {
      this.tally.forget(String(id));
      this.older.forget(String(id));
    }
    this.arrivals.add({
      key: `gap ${this.#gaps}`,
      status: "gap",
      stream: String(id),
      atMost,
      time: Date.now(),
      timeUs: Date.now() * 1000,
      uid: "",
      seq: 0,
    });
  }

  #becomeAway() {
    this.status.away();
    this.#dropStale();
  }

  /** What another filter left must not stay under this one, while nothing comes that would replace it. */
  #dropStale() {
    if (this.#fresh) this.feed.reset();
    this.draw();
  }

  #becomeReady() {
    this.status.back(); // it was read from, in a connection that was not told that it had been away
    if (this.arrivals.becomeReady()) this.#openSelected();
  }

  #addRows(rows, history) {
    if (this.#fresh) this.feed.reset();
    this.#fresh = false;
    this.feed.add(rows, { history });
    this.draw();
  }

  /** A stream was cleared, here or elsewhere. */
  #forget(id) {
    this.arrivals.forget(id);
    this.older.forget(id);
    this.feed.prune((row) => row.stream !== id);
    this.tally.reset();
    for (const row of this.feed.rows.toReversed()) if (row.status !== "gap") this.tally.add(row);
    this.streamsChanged();
    this.askLastError();
    this.draw();
  }

  #tell(state, detail = {}) {
    this.status.tell(state, detail);
    if (state === "refused" || state === "retrying") this.#dropStale();
    if (state === "refused" && detail.fault.status === 401)
      this.#askToken(api.hasToken() ? "That token does not match." : "");
  }

  async #askToken(fault) {
    const token = await askToken(fault);
    if (!token) return;
    api.keepToken(token);
    await this.start();
  }

  // What is drawn.

  draw() {
    const { rows, missed, held } = this.feed;
    this.list.set(rows);
    this.#drawNothing();
    this.drawHour();
    this.#drawCounts();
    this.status.following(held, missed);
    const away = Boolean(held) && rows.length > 0 && (missed > 0 || this.list.away);
    show(byId("jump"), away);
    if (away) write(byId("jump"), missed ? `${whole(missed)} new, jump to latest` : "Jump to latest");
  }

  #drawNothing() {
    if (this.feed.rows.length) showRows();
    else if (!this.arrivals.ready) showLoading(this.status.obstacle);
    else if (filters.narrows(this.filter)) showNoMatch(this.known.cached(this.filter), () => this.clearFilters());
    else if (!this.filter.ids.length && !this.known.of(this.filter.tab).length) showTeaching(this.#other(), this.known.apiKeys);
    else showNoEvents(this.#other());
  }

  /** The other tab, if it has something to show. */
  #other() {
    const tab = OTHER[this.filter.tab];
    const total = this.known.total(tab);
    return total ? { label: LABELS[tab], total, open: () => this.change({ tab }) } : null;
  }

  #drawCounts() {
    const shown = this.feed.rows.filter((row) => row.status !== "gap").length;
    const full = shown >= MOST_ROWS;
    const left = this.arrivals.ready && this.older.left(this.filter, this.known.inView(this.filter)).length > 0;
    const words = this.#countWords(shown, { full, left });
    write(byId("counts"), shown || left ? words : "");
    this.status.announce(shown ? words : "No events shown");
    show(byId("older"), left && !full);
  }

  #countWords(shown, { full, left }) {
    const cached = Math.max(this.known.cached(this.filter), shown);
    if (filters.narrows(this.filter)) {
      const among = count(cached, this.filter.status === "error" ? "cached error" : "cached event");
      return `${count(shown, "match", "matches")}${left ? " so far" : ""} among ${among}`;
    }
    if (shown < cached) return `${full && !left ? "Newest " : ""}${whole(shown)} of ${count(cached, "cached event")}`;
    return `${full ? "Newest " : ""}${count(shown, "event")}`;
  }

  drawHour() {
    const frozen = Number.isFinite(this.#frozenAt);
    this.hour.draw(this.tally.hour(frozen ? this.#frozenAt : Date.now()), { chosen: this.filter.start, frozen });
  }

  #drawControls() {
    const { filter } = this;
    this.toolbar.set(filter);
    drawChips(filter, (change) => this.change(change));
    for (const tab of document.querySelectorAll("[data-tab][aria-controls=events]")) {
      const chosen = tab.dataset.tab === filter.tab;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      if (chosen) byId("events").setAttribute("aria-labelledby", tab.id);
      const total = this.known.total(tab.dataset.tab);
      write(tab.querySelector(".count"), total ? whole(total) : "");
    }
    document.body.classList.toggle("one-stream", filter.ids.length === 1);
    this.picker.set(this.known.of(filter.tab), filter.ids, filter.tab === "incoming" ? "API keys" : "Destinations");
  }

  /** Once a second: ages, and what has left a moving range. */
  tick() {
    if (this.filter.range && this.feed.prune((row) => !(row.time < filters.rangeStart(this.filter)))) this.draw();
    this.list.draw(true);
    this.drawHour();
    this.detail.tick();
    this.status.tick();
  }

  // What people do.

  /** An event was opened, or closed: the URL names it. */
  #opened(uid) {
    const was = this.filter.uid;
    document.body.classList.toggle("with-detail", Boolean(this.detail.key));
    if (was === uid) return;
    this.filter = { ...this.filter, uid };
    this.#remember(was ? "replaceState" : "pushState");
  }

  /** Open the event that the URL names: from the rows, or else from the cache. */
  async #openSelected() {
    const { uid } = this.filter;
    if (!uid || this.detail.uid === uid) return;
    const shown = this.feed.rows.find((row) => row.uid === uid);
    if (shown) {
      this.reader.open(shown.key);
      return;
    }
    const parameters = new URLSearchParams({ namespace: filters.namespace(this.filter), q: uid, limit: "5" });
    if (this.filter.ids.length) parameters.set("ids", this.filter.ids.join(","));
    const sources = await api.cached(parameters).catch(() => []);
    if (this.filter.uid !== uid) return; // somebody went on meanwhile
    const row = sources.map((source) => readEvent(source)?.row).find((found) => found?.uid === uid);
    if (row) this.reader.show(row);
    else toast("The event that was linked to is no longer cached");
  }

  clearFilters() {
    const { status, type, q, range, start, end, fields } = filters.EMPTY;
    this.change({ status, type, q, range, start, end, fields });
  }

  toggleErrors() {
    this.change({ status: this.filter.status === "error" ? "" : "error" });
  }

  #chooseMinute(start, end) {
    const again = this.filter.start === start && this.filter.end === end;
    this.change(again ? { start: NaN, end: NaN } : { range: "", start, end });
  }

  copyLink() {
    copy(location.href, "Link");
  }

  offerExport(at) {
    openMenu(at, this.#exports());
  }

  /** What has no button of its own where there is little room. */
  offerMore(at) {
    openMenu(at, [...this.#exports(), ["Copy link", () => this.copyLink()], ["Clear …", () => this.askClear()]]);
  }

  #exports() {
    return [
      ["Export as NDJSON", () => exportEvents(this.filter, "ndjson")],
      ["Export as CSV", () => exportEvents(this.filter, "csv")],
    ];
  }

  async askClear() {
    if (!(await clearEvents(this.filter, this.known, this.reader.row?.stream))) return;
    this.reader.close();
    await this.refreshStreams();
    this.look();
  }

  async loadOlder() {
    const openedAt = this.#openedAt;
    const rows = await this.older.load(this.feed.rows.length, this.filter, this.known.inView(this.filter));
    if (!rows || openedAt !== this.#openedAt) return;
    this.feed.addOlder(rows);
    this.draw();
  }

  // What is asked for besides.

  /** Read the streams and their counts. */
  async refreshStreams() {
    await this.known.refresh();
    const other = OTHER[this.filter.tab];
    if (!this.#tabChosen && !this.known.of(this.filter.tab).length && this.known.of(other).length) {
      // Nobody chose the tab that is empty: the first event leads to where it is.
      this.filter = { ...this.filter, tab: other };
      this.#tabChosen = true;
      this.#remember("replaceState");
      if (this.#openedAt) this.look();
    }
    this.#drawControls();
    this.#tellUnfollowed();
    if (this.#openedAt) {
      this.#drawNothing();
      this.#drawCounts();
    }
  }

  /** All streams are not all, where there are too many. */
  #tellUnfollowed() {
    if (!this.known.unfollowed(this.filter)) {
      this.notices.remove("unfollowed");
      return;
    }
    const known = count(this.known.of(this.filter.tab).length, "stream");
    this.notices.set("unfollowed", {
      text: `The ${MOST_FOLLOWED} most recently active of ${known} are followed. Choose others to follow them.`,
    });
  }

  streamsChanged = () => {};

  /** Find out when the last error was, of the streams in view. */
  async askLastError() {
    this.status.lastError(NaN);
    const failing = this.known
      .inView(this.filter)
      .filter(({ error_events: errors }) => errors > 0)
      .slice(0, MOST_FAILING);
    if (this.filter.status === "error" || !failing.length) return;
    const ids = failing.map(({ id }) => id).join(",");
    const parameters = new URLSearchParams({
      namespace: filters.namespace(this.filter),
      ids,
      status: "error",
      limit: "1",
    });
    const openedAt = this.#openedAt;
    const sources = await api.cached(parameters).catch(() => []);
    if (openedAt !== this.#openedAt) return;
    const times = sources.map((source) => readEvent(source)?.row.time).filter(Number.isFinite);
    if (times.length) this.status.sawError(Math.max(...times));
  }

  /** Nobody looks: the stream is closed, and goes on where it was. */
  visibilityChanged(hidden) {
    if (hidden) this.live.close();
    else this.live.resume();
  }
}
