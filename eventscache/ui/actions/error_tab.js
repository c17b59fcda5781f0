/** The tab Errors: reads the groups again and again while it is open, and opens their examples. */

import {fetchErrors, fetchRows} from "../api/fetch.js";
import {byId, listen, setText, show} from "../lib/dom.js";
import {count, visible} from "../lib/text.js";
import {clock} from "../lib/time.js";
import {exampleParameters, groupsOf} from "../model/error_groups.js";
import {ErrorList, examplesBar} from "../view/error_list.js";
import {toast} from "../view/toast.js";

const INTERVAL_MS = 3000;
/** @type {[string, string]} */
const NONE = ["No errors", "Events that a destination refused, and bodies that cannot be read, appear here by their messages."];
const FAILED = "The errors cannot be read";

export class ErrorTab {
	#timer = 0;
	#view = 0; // an answer to an earlier view is ignored
	#opening = 0;
	#groups = null; // as of then:
	#readAt = 0;
	#open = null; // the group whose example is shown

	/**
	 * `parts` has the `filter`, the `navigation`, `detail`, `rights` and `streams`; `opened` takes the digest of the group that
	 * is open, or ""
	 */
	constructor(parts, opened) {
		this.parts = parts;
		this.opened = opened;
		this.list = new ErrorList(key => this.open(key));
		listen(byId("errors-sort"), {change: ({target}) => parts.navigation.change({sort: target.value})});
	}

	/** What the list of the open group is filtered by. */
	get listFilter() {
		return this.#open ? {tab: this.#open.tab, group: this.#open.group} : {};
	}

	/** Begin to read, or end, as the filter and the page say. */
	begin() {
		const {tab, sort} = this.parts.filter;
		const shown = tab === "errors";
		clearTimeout(this.#timer);
		this.#view += 1;
		show(byId("errors"), shown);
		show(byId("events"), !shown);
		document.body.classList.toggle("errors-tab", shown);
		byId("errors-sort").value = sort;
		if (!shown) this.#open = null;
		if (!this.#groups) this.list.set([], ["Loading …", ""]);
		if (shown && !document.hidden) this.#read(this.#view, sort);
	}

	async #read(view, sort) {
		let answers, fault;
		try {
			const namespaces = this.parts.rights.namespaces.map(namespace => fetchErrors(namespace, sort));
			answers = await Promise.all(namespaces);
		} catch (failed) {
			fault = `${FAILED}: ${visible(failed.message)}`;
		}
		if (view !== this.#view) return;
		if (answers) {
			this.#groups = groupsOf(answers, sort);
			this.#readAt = Date.now();
		}
		const groups = this.#groups ?? [];
		const asOf = groups.length ? `. These are as of ${clock(this.#readAt)} UTC.` : "";
		byId("errors").classList.toggle("failed", Boolean(fault));
		setText(byId("errors-words"), fault ? fault + asOf : this.#words(answers));
		this.list.set(groups, fault ? [FAILED, "The page tries again."] : NONE);
		this.#timer = setTimeout(() => this.#read(view, sort), INTERVAL_MS);
		if (answers) this.openOfFilter();
	}

	#words(answers) {
		const read = answers.reduce((sum, {streams}) => sum + streams, 0);
		const known = Math.max(read, this.parts.streams.of("errors").length);
		const some = read < known ? `the ${read} most recently active of ` : "";
		const first = answers.some(({more}) => more) ? "The first " : "";
		const groups = count(this.#groups.length, "error group");
		return this.#groups.length ? `${first}${groups} of ${some}${count(known, "stream")}` : "";
	}

	/** Open the group that the address names. */
	openOfFilter() {
		const {tab, group} = this.parts.filter;
		const found = tab === "errors" && this.#groups?.find(each => each.group === group);
		if (found && this.#open?.group !== group) this.open(found.key);
	}

	async open(key) {
		const group = this.list.find(key);
		if (!group) return;
		const opening = ++this.#opening;
		const view = this.#view;
		this.list.activate(key);
		const examples = await readExamples(group).catch(fault => void toast(`${FAILED}: ${fault.message}`));
		if (opening !== this.#opening || view !== this.#view) return;
		if (examples?.length) {
			this.#open = group;
			this.#show(examples, 0);
		} else {
			if (examples) toast("Its examples are no longer cached");
			this.opened("");
		}
	}

	#show(examples, number) {
		const choose = other => {
			this.#show(examples, other);
			this.parts.detail.node.querySelector(".examples [aria-current]").focus();
		};
		this.parts.detail.open(examples[number], examplesBar(this.#open, examples, number, choose));
		this.opened(this.#open.group);
	}

	close() {
		this.#opening += 1;
		this.#open = null;
		if (!this.parts.detail.key) return;
		this.parts.detail.close();
		this.opened("");
		this.focus();
	}

	/** Go to another group; if one is open, open it. */
	move(step) {
		const {key} = this.list.next(step) ?? {};
		if (this.#open) this.open(key);
		else if (key) this.list.activate(key);
	}

	focus() {
		this.list.box.focus({preventScroll: true});
	}
}

/** Return the last examples of a group as rows, the newest first. */
async function readExamples(group) {
	const rows = await fetchRows(exampleParameters(group, 3));
	return rows.sort((a, b) => b.timeUs - a.timeUs).slice(0, 3);
}
