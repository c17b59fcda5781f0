/** Somebody reads: a row is active, an event open, and what is new waits until they are done. */

import { copy } from "./clipboard.js";

export class Reader {
  /**
   * @param {object} parts `feed`, `list` and `detail`
   * @param {{draw: () => void, opened: (uid: string) => void}} acts `opened` hears of the event that is open, or ""
   */
  constructor({ feed, list, detail }, acts) {
    this.feed = feed;
    this.list = list;
    this.detail = detail;
    this.acts = acts;
  }

  /** The row that is open or active. */
  get row() {
    return this.feed.rows.find(({ key }) => key === (this.detail.key || this.list.active));
  }

  /** @param {string} key of a row */
  open(key) {
    const row = this.feed.rows.find((other) => other.key === key);
    if (!row || row.status === "gap") return;
    if (!this.feed.held) this.feed.hold("open");
    this.list.activate(key);
    this.show(row);
    this.acts.draw();
  }

  /** Show an event, in the list or not. */
  show(row) {
    this.detail.open(row);
    this.acts.opened(row.uid);
  }

  /** Close the event, and go on following, unless something else holds the list. */
  close() {
    if (!this.detail.key) return;
    this.detail.close();
    this.acts.opened("");
    this.list.focus();
    if (this.feed.held === "open") this.feed.held = "scroll";
    this.scrolled();
    this.acts.draw();
  }

  /** Move the active row; an open event follows it. */
  move(step) {
    if (!this.feed.rows.length) return;
    const from = this.list.position;
    const { key } = this.list.at(from < 0 ? 0 : from + step);
    if (this.detail.key) {
      this.open(key);
      return;
    }
    if (!this.feed.held && from >= 0) this.feed.hold("scroll");
    this.list.activate(key);
    this.acts.draw();
  }

  /** The top has come into sight, or gone out of it. */
  scrolled() {
    const { held } = this.feed;
    if (this.list.away && !held) this.feed.hold("scroll");
    else if (!this.list.away && held === "scroll") this.feed.release();
    else return;
    this.acts.draw();
  }

  togglePause() {
    if (this.feed.held === "button") {
      this.follow();
      return;
    }
    this.feed.hold("button");
    this.acts.draw();
  }

  /** Show what is newest, and go on doing so. */
  follow() {
    this.feed.release();
    this.list.toTop();
    this.acts.draw();
  }

  copyJson() {
    if (this.detail.key) copy(this.detail.json, "JSON");
    else if (this.row?.source) copy(this.row.source, "JSON");
  }
}
