/** The events of a filter, all that are cached, as a file. */

import { cached } from "./api.js";
import { download, toast } from "./clipboard.js";
import { toCsv } from "./csv.js";
import { matchesFields, serverParameters } from "./filter.js";
import { count } from "./text.js";

const MOST = 100_000; // events of each stream

/** @param {"ndjson" | "csv"} kind */
export async function exportEvents(filter, kind) {
  const parameters = serverParameters(filter);
  parameters.set("limit", String(MOST));
  try {
    const sources = (await cached(parameters)).filter((source) => matchesFields(source, filter.fields));
    const lines = kind === "csv" ? toCsv(sources) : sources.map((source) => `${source}\n`);
    const moment = new Date().toISOString().slice(0, 19).replace(/:/g, "");
    download(lines, kind === "csv" ? "text/csv" : "application/x-ndjson", `events-${filter.tab}-${moment}.${kind}`);
    toast(`${count(sources.length, "event")} exported`);
  } catch (fault) {
    toast(`Nothing was exported: ${fault.message}`);
  }
}
