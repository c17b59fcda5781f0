/** The menu of the columns: each is shown or hidden, and columns of one's own are added and removed. */

import {byId, el, listen} from "../lib/dom.js";
import {visible} from "../lib/text.js";
import {BUILT_IN, ownOf, toggled} from "../model/columns.js";
import {placeBeside} from "./menu.js";
import {toast} from "./toast.js";

export class ColumnChooser {
	#columns = null;
	#menu = byId("chooser");

	/** @param change takes the columns that somebody chose */
	constructor(change) {
		this.change = change;
		listen(this.#menu, {
			toggle: () => {
				const button = byId("choose-columns");
				placeBeside(button.offsetWidth ? button : byId("more"), this.#menu);
			},
			keydown: event => event.stopPropagation(), // here the keys of the page do nothing
			submit: event => {
				event.preventDefault();
				this.#add(byId("column"));
			},
		});
	}

	set(columns) {
		if (String(columns) === String(this.#columns)) return;
		this.#columns = columns;
		const focused = document.activeElement.value;
		const lines = [
			...Object.entries(BUILT_IN).map(([name, label]) => this.#line(name, label, !columns.includes(name))),
			...ownOf(columns).map(path => this.#line(path, visible(path), true)),
		];
		this.#menu.firstElementChild.replaceChildren(...lines);
		lines.map(({firstElementChild: box}) => box).find(({value}) => value === focused)?.focus();
	}

	#line(value, label, checked) {
		const onchange = () => this.change(toggled(this.#columns, value));
		return el("label", el("input", {type: "checkbox", value, checked, onchange}), label);
	}

	#add(input) {
		const path = input.value.trim();
		if (this.#columns.includes(path)) return;
		const columns = toggled(this.#columns, path);
		if (columns.includes(path)) input.value = "";
		else toast("A column is a path such as user.email, and there are 10 at most");
		this.change(columns);
	}
}
