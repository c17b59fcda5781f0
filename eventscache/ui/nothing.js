/** What stands in place of the rows when there are none: an empty cache teaches. */

import { copy } from "./clipboard.js";
import { firstEvent, firstRecord, nginxMirror } from "./curl.js";
import { byId, el, show } from "./dom.js";
import { hasToken } from "./api.js";
import { count } from "./text.js";

let drawn = "";

/** Draw once for each state: a page that is read, or selected from, stays as it is. */
function draw(state, build) {
  const node = byId("nothing");
  if (drawn !== state) node.replaceChildren(...(state ? build() : []));
  drawn = state;
  show(node, Boolean(state));
  // A place for the list, and the list's own head, are there for rows only.
  show(byId("list-head"), !state);
  document.body.classList.toggle("teaching", state.startsWith("teaching"));
}

function command(title, text, words) {
  return el(
    "section.command",
    {},
    el(
      "div.command-head",
      {},
      el("h3", {}, title),
      el(
        "button",
        { type: "button", "aria-label": `Copy: ${title}`, on: { click: () => copy(text, "Command") } },
        "Copy",
      ),
    ),
    el("p.hint", {}, words),
    el("pre", { tabIndex: 0 }, text),
  );
}

export const showRows = () => draw("", () => []);

/** @param {string} obstacle what keeps it from going on, if anything does */
export const showLoading = (obstacle = "") =>
  draw(`loading ${obstacle}`, () => [el("p.quiet-words", {}, obstacle || "Loading …")]);

export const showNoMatch = (cached, reset) =>
  draw(`no match ${cached}`, () => [
    el("h2", {}, `No match among ${count(cached, "cached event")}`),
    el("p.hint", {}, "Events that match will appear here as they come."),
    el("p", {}, el("button", { type: "button", on: { click: reset } }, "Clear all filters")),
  ]);

/** @param {{label: string, total: number, open: () => void} | null} other the other tab, if it has events */
export const showNoEvents = (other) =>
  draw(`none ${other?.total ?? 0}`, () =>
    [
      el("h2", {}, "No events yet"),
      el("p.hint", {}, "The next one will appear here at once."),
      other &&
        el(
          "p",
          {},
          el(
            "button",
            { type: "button", on: { click: other.open } },
            `Show ${count(other.total, "event")} under ${other.label}`,
          ),
        ),
    ].filter(Boolean),
  );

/** `apiKeys`: a token has to be one of those configured. */
export const showTeaching = (other, apiKeys) =>
  draw(`teaching ${other?.total ?? 0} ${hasToken()} ${apiKeys}`, () =>
    [
      el("h2", {}, "No events yet"),
      el("p.lead", {}, "This page is listening, and turns into a list with the first event. To make one:"),
      other &&
        el(
          "p",
          {},
          el(
            "button.primary",
            { type: "button", on: { click: other.open } },
            `Show ${count(other.total, "event")} under ${other.label}`,
          ),
        ),
      incoming(apiKeys),
      processed(),
      command(
        "Mirror what Jitsu receives",
        nginxMirror(),
        "Lines for the nginx in front of Jitsu; it goes on serving Jitsu whatever happens here.",
      ),
    ].filter(Boolean),
  );

const incoming = (apiKeys) =>
  command(
    "Send an event, as Jitsu's own client does",
    firstEvent(apiKeys),
    apiKeys
      ? "YOUR_API_KEY is a client_secret of api_keys in the configuration. Shows up under Incoming, by the id of that key."
      : "Shows up under Incoming, as my_key.",
  );

const processed = () =>
  command(
    "Record what a destination did",
    firstRecord(hasToken()),
    "Shows up under Processed, as an error of my_destination.",
  );
