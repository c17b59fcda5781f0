/** How things stand: the connection, what is lost, the last error, and whether rows are held back. */

import * as api from "./api.js";
import { byId, show, write } from "./dom.js";
import { count, whole } from "./text.js";
import { ago } from "./time.js";

const WORDS = {
  connecting: "Connecting",
  live: "Live",
  paused: "Paused",
  away: "Storage away",
  retrying: "Reconnecting",
  refused: "Not connected",
  closed: "Asleep",
};
// What to say in place of rows that cannot be read.
const OBSTACLES = {
  refused: "Nothing can be read: the server does not let this page in.",
  retrying: "Waiting for the server",
};
const ANNOUNCED_EVERY_MS = 3000;

export class Status {
  #state = "connecting";
  #held = "";
  #away = false; // the storage
  #until = 0;
  #fault = null;
  #lastError = NaN;
  #dismissedDrops = 0;
  #limited = 0;
  #dismissedLimited = false;
  #quota = null;
  #announced = 0;

  /** `acts` has `retry()` and `enterToken()`. */
  constructor(notices, acts) {
    this.notices = notices;
    this.acts = acts;
  }

  tell(state, { fault = null, until = 0 } = {}) {
    // A new try is no news while the last one failed: the notice stays until it works.
    if (state === "connecting" && this.#state === "retrying") return;
    this.#state = state;
    this.#fault = fault;
    this.#until = until;
    if (state === "live") {
      this.notices.remove("down");
      this.notices.remove("refused");
    }
    if (state !== "live") write(byId("rate"), "");
    if (state === "refused") this.#tellRefused(fault);
    this.tick();
    this.#draw();
  }

  #tellRefused(fault) {
    const needsToken = fault.status === 401;
    this.notices.remove("refused");
    this.notices.set("refused", {
      kind: "bad",
      text: needsToken ? "This server needs an admin token." : `The server refused: ${fault.message}.`,
      acts: needsToken ? [["Enter it", this.acts.enterToken]] : [],
    });
  }

  get live() {
    return this.#state === "live";
  }

  /** Once a second. */
  tick() {
    if (this.#state === "retrying") {
      const seconds = Math.max(1, Math.ceil((this.#until - Date.now()) / 1000));
      const cause = this.#fault?.status ? `The server answers “${this.#fault.message}”` : "The server does not answer";
      const text = `${cause}. What was here stays; the next try is in ${seconds} s.`;
      this.notices.set("down", { kind: "bad", text, acts: [["Try now", this.acts.retry]] });
    }
    this.#tellLastError();
  }

  #tellLastError() {
    const known = Number.isFinite(this.#lastError);
    show(byId("last-error"), known);
    if (known) write(byId("last-error").firstElementChild, `Last error ${ago(this.#lastError)}`);
  }

  #draw() {
    const shown = this.#state !== "live" ? this.#state : this.#away ? "away" : this.#held === "button" ? "paused" : "live";
    byId("state").dataset.state = shown;
    write(byId("state-text"), WORDS[shown]);
  }

  /** Why nothing comes, or "". */
  get obstacle() {
    return OBSTACLES[this.#state] ?? (this.#away ? "Waiting for the storage" : "");
  }

  following(held, missed) {
    this.#held = held;
    const button = byId("pause");
    const paused = held === "button";
    button.setAttribute("aria-pressed", String(paused));
    write(button, paused ? (missed ? `Go on, ${whole(missed)} new` : "Go on") : "Pause");
    this.#draw();
  }

  /** What the server counted in the last second, and lost. */
  count({ per_second: perSecond, last_minute_limited: limited, dropped }) {
    write(byId("rate"), perSecond > 0 ? (perSecond < 1 ? "<1/s" : `${whole(Math.round(perSecond))}/s`) : "");
    this.#tellLimited(Number(limited) || 0);
    this.#tellDropped(Number(dropped) || 0);
  }

  /** Other streams are looked at: what was refused of those before concerns nobody. */
  forgetLimited() {
    this.#limited = 0;
    this.#dismissedLimited = false;
    this.notices.remove("limited");
  }

  /** Bursts come and go; the notice of one stays until it is dismissed, so that the page does not jump with each. */
  async #tellLimited(limited) {
    this.#limited = limited;
    if (!limited) {
      this.#dismissedLimited = false;
      if (this.notices.has("limited"))
        this.notices.set("limited", { text: "All events of the last minute are shown. Before, some were not." });
      return;
    }
    if (this.#dismissedLimited) return;
    this.#quota ??= await api.quota().catch(() => null);
    if (limited !== this.#limited) return; // it was told anew meanwhile
    const each = this.#quota
      ? `each stream admits ${count(this.#quota.size, "event")} in ${count(this.#quota.seconds, "second")}`
      : "each stream has a limit";
    const dismiss = () => {
      this.#dismissedLimited = true;
      this.notices.remove("limited");
    };
    this.notices.set("limited", {
      kind: "warn",
      text: `${count(limited, "event")} of the last minute ${limited === 1 ? "is" : "are"} not shown: ${each}.`,
      why:
        "More came than the cache takes, so what you see is a sample, spread over the time. It concerns this cache only: Jitsu " +
        "handles every event. To see more of them, raise server.cache.events.size in the configuration.",
      acts: [["Dismiss", dismiss]],
    });
  }

  #tellDropped(dropped) {
    if (dropped <= this.#dismissedDrops) {
      this.notices.remove("dropped");
      return;
    }
    const dismiss = () => {
      this.#dismissedDrops = dropped;
      this.notices.remove("dropped");
    };
    this.notices.set("dropped", {
      kind: "warn",
      text: `${count(dropped, "event")} ${dropped === 1 ? "was" : "were"} lost on the way into the cache since the server started.`,
      why:
        "The queue was full, or the storage was away for too long. Jitsu is not concerned. The reasons are counted at /metrics, " +
        "as eventscache_events_dropped_total.",
      acts: [["Dismiss", dismiss]],
    });
  }

  away() {
    this.#away = true;
    this.notices.set("away", {
      kind: "bad",
      text: "The storage does not answer. What was read stays; this page goes on when it is back.",
    });
    this.#draw();
  }

  back() {
    this.#away = false;
    this.notices.remove("away");
    this.#draw();
  }

  lastError(time) {
    this.#lastError = time;
    this.#tellLastError();
  }

  sawError(time) {
    if (Number.isFinite(time) && !(time < this.#lastError)) this.lastError(time);
  }

  /** Let screen readers know, not too often. */
  announce(text) {
    if (Date.now() - this.#announced < ANNOUNCED_EVERY_MS) return;
    this.#announced = Date.now();
    write(byId("counts-live"), text);
  }
}
