/** Clearing: what may be meant, the question, and the deed. */

import { clear } from "./api.js";
import { toast } from "./clipboard.js";
import { askClear } from "./dialogs.js";
import { namespace } from "./filter.js";
import { count, visible } from "./text.js";

/** The streams chosen, that of the active row, and all; the first is the most likely. */
function choicesOf(filter, known, active) {
  const chosen = (label, ids) => ({
    label,
    events: known.cached({ tab: filter.tab, ids }),
    parameters: new URLSearchParams({ namespace: namespace(filter), ids: ids.join(",") }),
  });
  const choices = [];
  if (filter.ids.length > 1) choices.push(chosen(`The ${filter.ids.length} streams chosen`, filter.ids));
  else if (filter.ids.length) choices.push(chosen(`Stream ${visible(filter.ids[0])}`, filter.ids));
  if (active && !filter.ids.includes(active)) choices.push(chosen(`Stream ${visible(active)}`, [active]));
  choices.push({
    label: `All ${count(known.of(filter.tab).length, "stream")} of this tab`,
    events: known.total(filter.tab),
    parameters: new URLSearchParams({ namespace: namespace(filter), all: "true" }),
  });
  return choices;
}

/** Ask, and clear; resolves to whether something was. */
export async function clearEvents(filter, known, active) {
  const choice = await askClear(choicesOf(filter, known, active));
  if (!choice) return false;
  try {
    const { cleared } = await clear(choice.parameters);
    toast(`${count(cleared, "event")} cleared`);
    return true;
  } catch (fault) {
    toast(`Nothing was cleared: ${fault.message}`);
    return false;
  }
}
