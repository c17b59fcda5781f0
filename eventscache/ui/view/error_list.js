/** The list of error groups, one line for each; and the way between the examples of one. */

import {byId, el, icon, listen, setText, show} from "../lib/dom.js";
import {count, oneLine, visible, whole} from "../lib/text.js";
import {ago, clock} from "../lib/time.js";
import {hrefOf} from "../model/error_groups.js";

export class ErrorList {
	#groups = [];
	#drawn = "";

	/** `choose` takes the key of a group that is clicked. */
	constructor(choose) {
		this.active = "";
		this.box = byId("errors-list");
		listen(this.box, {click: ({target}) => {
			const line = target.closest(".group");
			if (line && !getSelection().toString()) choose(line.id);
		}});
	}

	/** Show groups; or without any, why there are none: a title and words. */
	set(groups, [title, reason]) {
		const drawn = JSON.stringify(groups);
		if (drawn !== this.#drawn) this.box.replaceChildren(...groups.map(line));
		this.#drawn = drawn;
		this.#groups = groups;
		const empty = byId("errors-empty");
		if (empty.textContent !== title + reason) empty.replaceChildren(el("h2", title), el("p.hint", reason));
		show(empty, !groups.length);
		show(byId("errors-table"), groups.length > 0);
		this.activate(this.active);
		this.tick();
	}

	find(key) {
		return this.#groups.find(group => group.key === key);
	}

	/** The group that is so many steps from the active one, or the first. */
	next(step) {
		const from = this.#groups.indexOf(this.find(this.active));
		return this.#groups[from < 0 ? 0 : Math.max(0, Math.min(from + step, this.#groups.length - 1))];
	}

	activate(key) {
		for (const node of this.box.children) node.ariaSelected = String(node.id === key);
		if (key !== this.active) byId(key).scrollIntoView({block: "nearest"});
		this.box.setAttribute("aria-activedescendant", this.find(key) ? key : "");
		this.active = key;
	}

	/** Once a second: the ages. */
	tick() {
		for (const time of this.box.querySelectorAll("time")) setText(time, ago(Date.parse(time.dateTime)));
	}
}

function line({key, message, template, count: events, first, last, trend, recent, earlier, streams}) {
	const [{id}, ...others] = streams;
	const periods = `${whole(recent)} in these 5 minutes, ${whole(earlier)} in those before`;
	const time = (name, at) => el(`time.${name}`, {title: `${name} ${at}`, dateTime: at});
	return el(
		"div.group",
		{role: "option", id: key},
		el("b", {title: count(events, "event")}, whole(events)),
		el(`span.trend.${trend}`, {title: periods}, icon(trend), trend),
		el("span.message", {title: visible(template)}, oneLine(message) || "Its examples are no longer cached"),
		el(
			"span.of",
			{title: visible(streams.map(stream => stream.id).join("\n"))},
			oneLine(id, 80),
			others.length > 0 && `, ${whole(others.length)} more`,
		),
		time("last", last),
		time("first", first),
	);
}

/** Return what leads to the other examples of a group, and to its list; `choose` takes the number of an example. */
export function examplesBar(group, examples, shown, choose) {
	const button = (_, at) => {
		const title = `Example ${whole(at + 1)}`;
		return el("button", {title, "aria-label": title, "aria-current": at === shown && "true", onclick: () => choose(at)}, whole(at + 1));
	};
	return el(
		"nav.examples",
		{"aria-label": "Examples, the newest first"},
		el("span.hint", `${count(group.count, "event")} since ${clock(Date.parse(group.first))}`),
		...examples.map(button),
		el("a", {href: hrefOf(group)}, "Show as list"),
	);
}
