/** The push stream: opened, resumed where it broke off, closed while nobody looks. */

import { ApiError, openStream } from "./api.js";
import { readFrames } from "./frames.js";

const LONGEST_PAUSE_MS = 15_000;
const SILENCE_MS = 40_000; // heartbeats come every 15 s
const FINAL = new Set([400, 401, 403, 404]); // asking the same again is no use

function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

export class Live {
  #parameters = null;
  #cursor = "";
  #running = null;
  #waiting = null;

  /**
   * @param {(frame: {event: string, data: string}) => void} hear what the stream says
   * @param {(state: string, detail?: object) => void} tell `connecting`, `live`, `retrying`, `refused`, `closed`
   */
  constructor(hear, tell) {
    this.hear = hear;
    this.tell = tell;
  }

  /** Begin anew. `parameters` is called for each connection: a range such as the last hour moves on. */
  open(parameters) {
    this.#parameters = parameters;
    this.#cursor = "";
    this.resume();
  }

  /** Go on after the last event that was heard. */
  resume() {
    this.close();
    if (!this.#parameters || document.hidden) return; // resumed when somebody looks
    this.#running = new AbortController();
    this.#run(this.#running.signal);
  }

  /** Try now what would be tried soon. */
  retry() {
    this.#waiting?.abort();
  }

  /** Stop hearing; of one that was refused, and hears nothing, there is nothing to tell. */
  close() {
    if (this.#running) this.tell("closed");
    this.#running?.abort();
    this.#running = null;
  }

  async #run(signal) {
    for (let failures = 0; !signal.aborted;) {
      try {
        this.tell("connecting");
        await this.#listen(signal, () => (failures = 0));
        failures = Math.max(failures, 1);
      } catch (fault) {
        if (signal.aborted) return;
        if (fault instanceof ApiError && FINAL.has(fault.status)) {
          this.#running = null;
          this.tell("refused", { fault });
          return;
        }
        failures += 1;
        await this.#wait(failures, fault, signal);
      }
    }
  }

  async #wait(failures, fault, signal) {
    const ms = Math.min(1000 * 2 ** (failures - 1), LONGEST_PAUSE_MS) * (0.9 + Math.random() * 0.2);
    this.tell("retrying", { fault, until: Date.now() + ms });
    this.#waiting = new AbortController();
    await pause(ms, AbortSignal.any([signal, this.#waiting.signal]));
  }

  /** Hear one connection until it ends, which it never does of itself. */
  async #listen(signal, began) {
    const connection = new AbortController();
    let timer;
    const stillThere = () => {
      clearTimeout(timer);
      timer = setTimeout(() => connection.abort(), SILENCE_MS);
    };
    try {
      stillThere();
      const either = AbortSignal.any([signal, connection.signal]);
      const answer = await openStream(this.#parameters(Boolean(this.#cursor)), this.#cursor, either);
      this.tell("live");
      for await (const frame of readFrames(answer.body)) {
        if (signal.aborted) return;
        stillThere();
        began();
        if (frame === null) continue;
        if (frame.id !== null) this.#cursor = frame.id;
        this.hear(frame);
      }
    } finally {
      clearTimeout(timer);
      connection.abort();
    }
    throw new ApiError(0, "the connection was closed");
  }
}
