// Jitsu 2's client on a server.
import { jitsuAnalytics } from "@jitsu/js";
import { given } from "./given.mjs";

const { host, key, events, options } = await given();
const jitsu = jitsuAnalytics({ host, writeKey: key, s2s: true, ...options });
for (const { name, properties } of events) await jitsu.track(name, properties);
