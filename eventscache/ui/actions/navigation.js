/** The filter in effect. It stands in the URL: a change of one changes the other. */

import { EMPTY, fromHash, toHash } from "../model/filter.js";

/** All of a filter except which event is open. */
const viewOf = (filter) => toHash({ ...filter, uid: "" });

export class Navigation {
	filter = fromHash(location.hash);
	#tabChosen = Boolean(location.hash);

	/** `acts`: `changed()` and `navigated()` start the view again, `closeEvent()`, `openEvent()` the one of the filter. */
	constructor(acts) {
		this.acts = acts;
		addEventListener("popstate", () => this.#onPopState());
	}

	/** Change some parts of the filter. */
	change(change) {
		const { filter } = this;
		if ("tab" in change || "ids" in change) this.#tabChosen = true;
		if ("tab" in change && change.tab !== filter.tab) {
			change = { ids: [], uid: "", ...change };
			if (change.tab === "incoming" && filter.status === "skip") change.status = ""; // incoming events are not skipped
		}
		this.filter = { ...filter, ...change };
		if (viewOf(filter) === viewOf(this.filter) && !("tab" in change)) return;
		this.#write("q" in change ? "replaceState" : "pushState");
		this.acts.changed();
	}

	clearFilters() {
		const { status, type, q, range, start, end, fields } = EMPTY;
		this.change({ status, type, q, range, start, end, fields });
	}

	toggleErrors() {
		this.change({ status: this.filter.status === "error" ? "" : "error" });
	}

	/** Show one minute; if it is the time filter already, remove the filter. */
	toggleMinute(start, end) {
		const chosen = this.filter.start === start && this.filter.end === end;
		this.change(chosen ? { start: NaN, end: NaN } : { range: "", start, end });
	}

	addField(path, op, value) {
		this.change({ fields: [...this.filter.fields, { path, op, value }] });
	}

	/** Show the tab that has events, unless somebody chose a tab; return whether it changed. */
	followFirstEvent(tab) {
		if (this.#tabChosen) return false;
		this.#tabChosen = true;
		this.filter = { ...this.filter, tab };
		this.#write("replaceState");
		return true;
	}

	/** Show the other tab, as the streams of this one may not be read. */
	leaveTab(tab) {
		this.filter = { ...this.filter, tab, ids: [], uid: "" };
		this.#write("replaceState");
	}

	/** An event was opened, or closed: then `uid` is "". */
	setOpenEvent(uid) {
		const before = this.filter.uid;
		if (before === uid) return;
		this.filter = { ...this.filter, uid };
		this.#write(before ? "replaceState" : "pushState");
	}

	/** Somebody went back or forward, or changed the address. */
	#onPopState() {
		const filter = fromHash(location.hash);
		const sameView = viewOf(filter) === viewOf(this.filter);
		this.filter = { ...filter, uid: "" }; // so that closing an event changes no address
		this.acts.closeEvent();
		this.filter = filter;
		if (sameView) this.acts.openEvent();
		else this.acts.navigated();
	}

	#write(how) {
		history[how](null, "", toHash(this.filter) || location.pathname);
	}
}
