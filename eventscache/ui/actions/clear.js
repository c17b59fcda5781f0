/** Clearing events: asks which, and deletes them from the cache. */

import {deleteEvents} from "../api/fetch.js";
import {count, visible} from "../lib/text.js";
import {namespace} from "../model/filter.js";
import {toast} from "../view/toast.js";
import {askClear} from "./dialogs.js";

/** The streams of the filter, the stream of the active row, and all streams. */
function choicesOf(filter, streams, active) {
	const choice = (label, ids) => ({
		label,
		events: streams.cachedEvents({tab: filter.tab, ids}),
		parameters: new URLSearchParams({namespace: namespace(filter), ids: ids.join(",")}),
	});
	const choices = [];
	if (filter.ids.length > 1) choices.push(choice(`The ${filter.ids.length} chosen streams`, filter.ids));
	else if (filter.ids.length) choices.push(choice(`Stream ${visible(filter.ids[0])}`, filter.ids));
	if (active && !filter.ids.includes(active)) choices.push(choice(`Stream ${visible(active)}`, [active]));
	choices.push({
		label: `All ${count(streams.of(filter.tab).length, "stream")} of this tab`,
		events: streams.totalEvents(filter.tab),
		parameters: new URLSearchParams({namespace: namespace(filter), all: "true"}),
	});
	return choices;
}

/** Ask, clear, and begin the view again. `app` has the `filter`, the `streams`, the `selection` and `streamRefresh`. */
export async function clearEvents(app) {
	const choice = await askClear(choicesOf(app.filter, app.streams, app.selection.row?.stream));
	if (!choice) return;
	try {
		const {cleared} = await deleteEvents(choice.parameters);
		toast(`${count(cleared, "event")} cleared`);
	} catch (fault) {
		toast(`Nothing was cleared: ${fault.message}`);
		return;
	}
	app.selection.close();
	await app.streamRefresh.refresh();
	app.beginView();
}
