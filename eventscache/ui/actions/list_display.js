/** How the list shows the rows: folded by event or not, and in which columns. The address has both. */

import {byId, listen, show} from "../lib/dom.js";
import {ownOf} from "../model/columns.js";
import {commonPrefix} from "../model/common_prefix.js";
import {Folding} from "../model/fold.js";
import {ColumnChooser} from "../view/column_chooser.js";

export class ListDisplay {
	#folding = new Folding();
	#chooser = new ColumnChooser(columns => this.parts.navigation.change({columns}));

	/** `parts` has the `filter`, the `navigation`, the `streams`, the `rowBuffer`, the `list` and the `selection`. */
	constructor(parts) {
		this.parts = parts;
		listen(byId("fold"), {click: () => this.toggleFold()});
	}

	/** Whether entries of several destinations are in view. */
	get #foldable() {
		const {filter, streams} = this.parts;
		return filter.tab === "processed" && streams.inView(filter).length > 1;
	}

	get #folded() {
		return this.#foldable && Boolean(this.parts.filter.fold);
	}

	toggleFold() {
		if (this.#foldable) this.parts.navigation.change({fold: this.#folded ? "" : "1"});
	}

	/** What the menu of a narrow page offers. */
	get choices() {
		const fold = [this.#folded ? "By entry" : "By event", () => this.toggleFold()];
		return [...(this.#foldable ? [fold] : []), ["Columns …", () => byId("chooser").showPopover()]];
	}

	/** Show the rows, and the controls as they are. The row that has the active entry stays active. */
	draw() {
		const {filter, list, rowBuffer: {rows}, selection, streams} = this.parts;
		const folded = this.#folded;
		const inView = new Set([...streams.inView(filter).map(({id}) => id), ...rows.map(({stream}) => stream)]);
		const active = folded !== list.look.folded && selection.row;
		list.set(folded ? this.#folding.fold(rows) : rows, {
			folded,
			hidden: [...filter.columns, filter.ids.length === 1 && "-stream"].join(" "),
			own: ownOf(filter.columns),
			types: commonPrefix(rows.map(({type}) => type)),
			streams: commonPrefix(inView),
			marks: inView.size,
		});
		if (active) list.activate(list.keyOf(active));
		this.#chooser.set(filter.columns);
		show(byId("fold"), this.#foldable);
		byId("fold").ariaPressed = String(folded);
	}
}
