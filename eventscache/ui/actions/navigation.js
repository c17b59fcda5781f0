/** The filter in effect. It stands in the URL: a change of one changes the other. */

import {mayBeField, MOST_FIELDS} from "../model/field.js";
import {CLOSED, displayOf, EMPTY, fromHash, toHash} from "../model/filter.js";
import {toast} from "../view/toast.js";

/** A filter with nothing open: no event, and in the tab Errors no group. */
const closed = filter => ({...filter, ...CLOSED, group: filter.tab === "errors" ? "" : filter.group});

/** All of a filter except what is open, and how the list shows it. */
const viewOf = filter => toHash({...closed(filter), ...displayOf(EMPTY)});

export class Navigation {
	filter = fromHash(location.hash);
	#tabChosen = Boolean(location.hash);

	/**
	 * `acts`: `changed()` and `navigated()` start the view again, `displayed()` shows it in another way, `closeEvent()`,
	 * `openEvent()` the one of the filter
	 */
	constructor(acts) {
		this.acts = acts;
		history.replaceState(true, ""); // the address that the page begins with is one of our own
		addEventListener("popstate", ({state}) => this.#onPopState(state));
	}

	/** Change some parts of the filter. */
	change(change) {
		const {filter} = this;
		if ("tab" in change || "ids" in change) this.#tabChosen = true;
		if ("tab" in change && change.tab !== filter.tab) {
			change = {ids: [], ...CLOSED, group: "", ...change};
			if (change.tab === "incoming" && filter.status === "skip") change.status = ""; // incoming events are not skipped
		}
		this.filter = {...filter, ...change};
		const sameView = viewOf(filter) === viewOf(this.filter) && !("tab" in change);
		if (sameView && toHash(filter) === toHash(this.filter)) return;
		this.#write("q" in change ? "replaceState" : "pushState");
		if (sameView) this.acts.displayed();
		else this.acts.changed();
	}

	clearFilters() {
		const {tab, ids, sort} = this.filter;
		this.change({...EMPTY, ...displayOf(this.filter), tab, ids, sort});
	}

	toggleErrors() {
		this.change({status: this.filter.status === "error" ? "" : "error"});
	}

	/** Show a range of time; if it is the time filter already, remove the filter. */
	toggleRange(start, end) {
		const chosen = this.filter.start === start && this.filter.end === end;
		this.change(chosen ? {start: NaN, end: NaN} : {range: "", start, end});
	}

	addField(path, op, value, more) {
		const field = {negated: false, path, op, values: [value]};
		const {fields} = this.filter;
		if (fields.length >= MOST_FIELDS) toast(`A view has at most ${MOST_FIELDS} filters by a field`);
		else if (!mayBeField(field)) toast("The value is too long to filter by; search for a part of it");
		else this.change({fields: [...fields, field], ...more});
	}

	/** Show the tab that has events, unless somebody chose a tab; return whether it changed. */
	followFirstEvent(tab) {
		if (this.#tabChosen) return false;
		this.#tabChosen = true;
		this.filter = {...this.filter, tab};
		this.#write("replaceState");
		return true;
	}

	/** Show the other tab, as the streams of this one may not be read. */
	leaveTab(tab) {
		this.filter = {...this.filter, tab, ids: [], ...CLOSED};
		this.#write("replaceState");
	}

	/** Something was opened, or closed: `change` is the link to an event or the digest of a `group`, or else "". */
	setOpen(change) {
		const before = toHash(this.filter);
		const wasOpen = before !== toHash(closed(this.filter));
		this.filter = {...this.filter, ...change};
		if (before !== toHash(this.filter)) this.#write(wasOpen ? "replaceState" : "pushState");
	}

	/** Somebody went back or forward to an address of our `own`, or else followed a link: that keeps the display. */
	#onPopState(own) {
		const filter = fromHash(location.hash);
		if (!own && !filter.fold && !filter.columns.length) Object.assign(filter, displayOf(this.filter));
		const sameView = viewOf(filter) === viewOf(this.filter);
		this.filter = closed(filter); // so that closing an event changes no address
		this.acts.closeEvent();
		this.filter = filter;
		if (!own) this.#write("replaceState");
		if (sameView) this.acts.displayed();
		if (sameView) this.acts.openEvent();
		else this.acts.navigated();
	}

	#write(how) {
		history[how](true, "", toHash(this.filter) || location.pathname);
	}
}
