/** The page: it connects the models, the views and the actions, and draws again what changed. */

import {CellFilters} from "./actions/cell_filters.js";
import {copy, copyLink} from "./actions/copy.js";
import {askToken} from "./actions/dialogs.js";
import {ErrorHint} from "./actions/error_hint.js";
import {ErrorTab} from "./actions/error_tab.js";
import {OpenWay, WayOffer} from "./actions/find_way.js";
import {HiddenErrors} from "./actions/hidden_errors.js";
import {Follows} from "./actions/follows.js";
import {ListDisplay} from "./actions/list_display.js";
import {ListWords} from "./actions/list_words.js";
import {Navigation} from "./actions/navigation.js";
import {OlderEvents} from "./actions/older_events.js";
import {PushHandler} from "./actions/push_handler.js";
import {readRights} from "./actions/read_rights.js";
import {replayOffer} from "./actions/replay.js";
import {Selection} from "./actions/selection.js";
import {StreamRefresh} from "./actions/stream_refresh.js";
import {fetchQuota, hasToken, storeToken} from "./api/fetch.js";
import {LiveConnection} from "./api/live_connection.js";
import {byId} from "./lib/dom.js";
import {Batcher} from "./model/batcher.js";
import {rangeStart, serverParameters} from "./model/filter.js";
import {EventHistory, historyPerStream} from "./model/history.js";
import {LastErrors} from "./model/last_errors.js";
import {MinuteCounts} from "./model/minute_counts.js";
import {RowBuffer} from "./model/row_buffer.js";
import {Rights} from "./model/rights.js";
import {Streams} from "./model/streams.js";
import {Banners} from "./view/banners.js";
import {drawChips} from "./view/chips.js";
import {Counts} from "./view/counts.js";
import {Detail} from "./view/detail.js";
import {EmptyState} from "./view/empty_state.js";
import {Histogram} from "./view/histogram.js";
import {drawJumpButton} from "./view/jump_button.js";
import {List} from "./view/list.js";
import {LossBanners} from "./view/loss_banners.js";
import {Picker} from "./view/picker.js";
import {Segments} from "./view/segments.js";
import {seek} from "./view/shown_text.js";
import {Status} from "./view/status.js";
import {suggestFrom} from "./view/suggestions.js";
import {drawTabs, OTHER_TAB} from "./view/tabs.js";
import {Toolbar} from "./view/toolbar.js";

export class App {
	#views = 0; // how many views have begun: what was asked for in an earlier one is ignored

	constructor() {
		this.#createModels();
		this.#createViews();
		this.#createActions();
	}

	#createModels() {
		this.rights = new Rights();
		this.streams = new Streams();
		this.lastErrors = new LastErrors();
		this.history = new EventHistory();
		const forgotten = row => this.history.forget(row);
		this.rowBuffer = new RowBuffer(forgotten);
		this.minuteCounts = new MinuteCounts();
		this.batcher = new Batcher((rows, history) => this.#addRows(rows, history), forgotten);
	}

	#createViews() {
		this.banners = new Banners();
		this.counts = new Counts();
		this.emptyState = new EmptyState(copy);
		this.lossBanners = new LossBanners(this.banners, fetchQuota);
		const statusActs = {retry: () => this.connection.retry(), enterToken: () => this.#askToken("")};
		this.status = new Status(this.banners, statusActs);
		this.list = new List(byId("list"), byId("canvas"), {
			choose: key => this.selection.open(key),
			pick: (key, cell, excluded) => this.cellFilters.pick(this.list.find(key), cell, excluded),
			opened: () => this.detail,
			scrolled: () => this.selection.scrolled(),
		});
		this.detail = new Detail(byId("detail"), {
			close: () => this.current.close(), copy, copyLink,
			filter: (path, op, value) => this.navigation.addField(path, op, value, this.errorTab.listFilter),
			follow: (path, value) => this.follows.choices(path, value),
			pick: (row, cell, excluded) => this.cellFilters.pick(row, cell, excluded),
			replay: row => replayOffer(this.rights, () => [row]),
		});
		this.toolbar = new Toolbar(change => this.navigation.change(change), () => this.filter);
		suggestFrom(() => this.rowBuffer.rows);
		this.segments = new Segments(status => this.navigation.change({status}));
		this.picker = new Picker(ids => this.navigation.change({ids}), this.lastErrors);
		this.histogram = new Histogram((start, end) => this.navigation.toggleRange(start, end));
	}

	#createActions() {
		this.navigation = new Navigation({
			changed: () => this.#filterChanged(),
			navigated: () => this.beginView(),
			displayed: () => this.draw(),
			closeEvent: () => this.current.close(),
			openEvent: () => this.#openOfFilter(),
		});
		this.cellFilters = new CellFilters(this);
		this.selection = new Selection(this, {draw: () => this.draw(), opened: change => this.#opened(change)});
		this.errorTab = new ErrorTab(this, group => this.#opened({group}));
		this.older = new OlderEvents(this, () => this.draw());
		this.display = new ListDisplay(this);
		this.listWords = new ListWords(this);
		this.follows = new Follows(this);
		this.openWay = new OpenWay(this.detail);
		this.wayOffer = new WayOffer();
		this.errorHint = new ErrorHint(this);
		this.hiddenErrors = new HiddenErrors();
		this.streamRefresh = new StreamRefresh(this, () => this.#streamsRefreshed());
		this.push = new PushHandler(this, {
			ready: () => this.#historyRead(),
			streamsChanged: () => this.streamRefresh.soon(),
			cleared: () => this.#eventsCleared(),
			unavailable: () => this.#dropStaleRows(),
		});
		const changed = (state, detail) => this.#connectionChanged(state, detail);
		this.connection = new LiveConnection(message => this.push.handle(message), changed);
	}

	get filter() {
		return this.navigation.filter;
	}

	/** What the keys move in, and what is open. */
	get current() {
		return this.filter.tab === "errors" ? this.errorTab : this.selection;
	}

	/** Read what the token may do, and the streams; then open the first view. */
	async start() {
		this.emptyState.showLoading();
		this.#drawControls();
		try {
			await readRights(this.rights);
			await this.streamRefresh.refresh();
		} catch (fault) {
			if (fault.status === 401 || fault.status === 403) {
				this.#connectionChanged("rejected", {fault});
				return;
			} // the push meets any other fault as well: it shows it, and tries again
		}
		this.beginView();
	}

	// The view: what the filter selects, from the beginning.

	beginView() {
		if (!this.rights.reads(this.filter.tab)) this.navigation.leaveTab(OTHER_TAB[this.filter.tab]);
		const {filter} = this;
		const perStream = historyPerStream(this.streams.inView(filter).length);
		this.#views += 1;
		if (seek(filter.q)) {
			this.list.drawAgain();
			this.detail.drawAgain();
		}
		this.batcher.beginView();
		this.rowBuffer.beginView();
		this.history.beginView(perStream);
		this.older.beginView();
		this.minuteCounts.beginView(filter);
		this.lossBanners.beginView(filter);
		if (this.rowBuffer.heldBy !== "button") this.rowBuffer.heldBy = this.detail.key ? "open" : "";
		this.connection.open(resumed => serverParameters(filter, resumed ? {} : {history: perStream}));
		this.#drawControls();
		this.lossBanners.setNotFollowed(filter, this.streams);
		this.errorHint.read();
		this.wayOffer.set(filter.q);
		this.errorTab.begin();
	}

	#filterChanged() {
		if (!this.filter.uid) this.current.close();
		this.list.toTop();
		this.beginView();
	}

	/** Open what the address names: a group, or an event. */
	#openOfFilter() {
		this.errorTab.openOfFilter();
		this.selection.openOfFilter();
	}

	/** An event was opened, or closed; `change` is of the address. */
	#opened(change) {
		document.body.classList.toggle("with-detail", Boolean(this.detail.key));
		this.navigation.setOpen(change);
		this.openWay.find(this.detail.eventId);
	}

	// What the server sends.

	#connectionChanged(state, detail = {}) {
		this.status.setConnection(state, detail);
		if (state === "rejected" || state === "retrying") this.#dropStaleRows();
		if (state === "retrying") this.rights.known = false;
		if (state === "live" && !this.rights.known) this.#readRights();
		if (state === "rejected" && detail.fault.status === 401)
			this.#askToken(hasToken() ? "That token does not match." : "");
	}

	/** What the token may do, and what is cached, may have changed while the server was away. */
	async #readRights() {
		await Promise.all([readRights(this.rights), this.streamRefresh.refresh()]).catch(() => {}); // the push says what is wrong
		if (!this.rights.reads(this.filter.tab)) this.beginView();
		this.#drawControls();
		this.draw();
	}

	async #askToken(fault) {
		const token = await askToken(fault);
		if (!token) return;
		storeToken(token);
		await this.start();
	}

	#addRows(rows, history) {
		for (const row of rows) row.fresh = !history;
		this.rowBuffer.add(rows, {history});
		this.draw();
	}

	#historyRead() {
		this.older.look();
		this.#openOfFilter();
	}

	/** No new rows arrive: those of the view before must not stay under this filter. */
	#dropStaleRows() {
		this.rowBuffer.dropStale();
		this.draw();
	}

	#eventsCleared() {
		this.streamRefresh.soon();
		this.errorHint.read({again: true});
		this.draw();
	}

	#streamsRefreshed() {
		const {tab} = this.filter;
		const other = OTHER_TAB[tab] ?? tab;
		const elsewhere = !this.streams.of(tab).length && this.streams.of(other).length > 0;
		if (elsewhere && this.navigation.followFirstEvent(other) && this.#views) this.beginView();
		this.#drawControls();
		this.lossBanners.setNotFollowed(this.filter, this.streams);
		if (!this.#views) return;
		for (const id of this.streams.takeGone(tab)) this.push.lose(id);
		this.draw();
		this.older.look();
	}

	// Drawing.

	draw() {
		const {rows, arrivedWhileHeld, heldBy} = this.rowBuffer;
		this.display.draw();
		this.listWords.drawEmptyState();
		this.histogram.draw(this.minuteCounts, this.filter);
		this.listWords.drawCounts();
		this.segments.count(rows, this.filter.status);
		this.status.setHeld(heldBy, arrivedWhileHeld);
		drawJumpButton(this.rowBuffer, this.list.scrolledDown);
	}

	#drawControls() {
		const {filter, streams, rights} = this;
		this.toolbar.set(filter);
		this.segments.set(filter);
		this.toolbar.offer(rights);
		drawChips(filter, change => this.navigation.change(change));
		this.follows.draw();
		drawTabs(filter.tab, streams, rights);
		this.picker.set(streams.of(filter.tab), filter.ids, filter.tab === "incoming" ? "API keys" : "Destinations");
		this.picker.setPatterns(rights.patterns);
	}

	/** Once a second: the ages, and the rows that have left a range such as the last hour. */
	tick() {
		const {filter} = this;
		if (filter.range && this.rowBuffer.prune(row => !(row.time < rangeStart(filter)))) this.draw();
		this.list.draw(true);
		this.histogram.draw(this.minuteCounts, this.filter);
		this.detail.tick();
		this.status.tick();
		this.errorHint.draw();
		this.errorTab.list.tick();
		this.follows.tick();
	}

	/** A hidden page closes the push, and continues where it was. */
	visibilityChanged(hidden) {
		this.connection[hidden ? "close" : "resume"]();
		if (hidden && this.#views) this.hiddenErrors.begin(this.filter);
		else this.hiddenErrors.end();
		this.errorTab.begin();
	}
}
