/** Banners about events that the page does not show: limited, dropped, or of streams that the push leaves out. */

import {count} from "../lib/text.js";
import {MOST_FOLLOWED} from "../model/streams.js";

export class LossBanners {
	#streams = ""; // that the view shows
	#lost = new Map(); // events by stream
	#limited = 0;
	#limitedDismissed = false;
	#quota = null;
	#dropped = 0;
	#droppedDismissed = 0; // how many had been dropped when the banner was dismissed

	constructor(banners, fetchQuota) {
		this.banners = banners;
		this.fetchQuota = fetchQuota;
	}

	/** Begin a view: limited events of other streams do not matter any more. */
	beginView({tab, ids}) {
		const streams = JSON.stringify([tab, ids]);
		if (streams !== this.#streams) {
			this.#lost.clear();
			this.#limited = 0;
			this.#limitedDismissed = false;
			for (const name of ["lost", "limited"]) this.banners.remove(name);
		}
		this.#streams = streams;
	}

	/**
	 * Say how many events were limited in the last minute. The banner stays until it is dismissed, so that the page does
	 * not jump with each burst.
	 */
	async setLimited(limited) {
		this.#limited = limited;
		if (!limited) {
			this.#limitedDismissed = false;
			if (this.banners.has("limited"))
				this.banners.set("limited", {text: "All events of the last minute are shown. Some earlier events are not."});
			return;
		}
		if (this.#limitedDismissed) return;
		this.#quota ??= await this.fetchQuota().catch(() => null);
		if (limited !== this.#limited) return; // a newer number arrived meanwhile
		this.banners.set("limited", {
			kind: "warn",
			text: `${count(limited, "event")} of the last minute ${limited === 1 ? "is" : "are"} not shown: ${this.#limit()}.`,
			why:
				"More events arrived than the cache admits: you see a sample, spread over the time. Jitsu processes every event. " +
				"To see more, raise server.cache.events.size.",
			dismissed: () => (this.#limitedDismissed = true),
		});
	}

	#limit() {
		if (!this.#quota) return "each stream has a limit";
		const {size, seconds} = this.#quota;
		return `each stream admits ${count(size, "event")} in ${count(seconds, "second")}`;
	}

	/** Say that the storage has lost events that were shown. */
	addLost(stream, events) {
		this.#lost.set(stream, events + (this.#lost.get(stream) ?? 0));
		const all = [...this.#lost.values()].reduce((sum, each) => sum + each, 0);
		const where = this.#lost.size > 1 ? count(this.#lost.size, "stream") : stream;
		this.banners.set("lost", {
			kind: "warn",
			text: `${count(all, "event")} of ${where} ${all === 1 ? "is" : "are"} no longer cached and no longer listed: the storage began anew.`,
			why: "A storage in memory is empty after a restart of the server. With a Redis, its keys were removed or have expired.",
			dismissed: () => this.#lost.clear(),
		});
	}

	/** Say that the push leaves some streams out, if there are too many. */
	setNotFollowed(filter, streams) {
		if (!streams.notFollowed(filter)) {
			this.banners.remove("not-followed");
			return;
		}
		const known = count(streams.of(filter.tab).length, "stream");
		this.banners.set("not-followed", {
			text: `The ${MOST_FOLLOWED} most recently active of ${known} are followed. Choose a stream to follow it.`,
		});
	}

	/** Say how many events the server has dropped since it started. */
	setDropped(dropped) {
		this.#dropped = dropped;
		if (dropped <= this.#droppedDismissed) {
			this.banners.remove("dropped");
			return;
		}
		this.banners.set("dropped", {
			kind: "warn",
			text: `${count(dropped, "event")} ${dropped === 1 ? "was" : "were"} dropped since the server started.`,
			why:
				"The queue was full, or the storage was unavailable for too long. Jitsu is not affected. " +
				"/metrics has the reasons: eventscache_events_dropped_total.",
			dismissed: () => (this.#droppedDismissed = this.#dropped),
		});
	}
}
