/** The streams that the server knows, of both tabs, with their counts. */

import { streams } from "./api.js";
import { namespace } from "./filter.js";

export const MOST_FOLLOWED = 100; // streams, which is the server's rule

const sum = (list, name) => list.reduce((total, stream) => total + stream[name], 0);

export class Known {
  #tabs = { processed: [], incoming: [] };
  #ids = { processed: new Set(), incoming: new Set() };

  /** Whether a token has to be one of the API keys that are configured. */
  apiKeys = false;

  async refresh() {
    for (const tab of Object.keys(this.#tabs)) {
      const told = await streams(namespace({ tab }));
      this.#tabs[tab] = told.streams;
      this.apiKeys = Boolean(told.api_keys);
      this.#ids[tab] = new Set(this.#tabs[tab].map(({ id }) => id));
    }
  }

  of(tab) {
    return this.#tabs[tab];
  }

  has(tab, id) {
    return this.#ids[tab].has(id);
  }

  get count() {
    return this.#tabs.processed.length + this.#tabs.incoming.length;
  }

  /** How many events all streams of a tab hold. */
  total(tab) {
    return sum(this.#tabs[tab], "total_events");
  }

  /** The streams that a filter shows. */
  inView({ tab, ids }) {
    return ids.length ? this.#tabs[tab].filter(({ id }) => ids.includes(id)) : this.#tabs[tab];
  }

  /** How many streams that a filter shows are not followed, as there are too many. */
  unfollowed(filter) {
    return filter.ids.length ? 0 : Math.max(0, this.#tabs[filter.tab].length - MOST_FOLLOWED);
  }

  /** How many events they hold, among which it looks. */
  cached(filter) {
    return sum(this.inView(filter), filter.status === "error" ? "error_events" : "total_events");
  }
}
