// Jitsu classic's client on a server.
import { jitsuClient } from "@jitsu/sdk-js";
import { given } from "./given.mjs";

const { host, key, events, options } = await given();
const jitsu = jitsuClient({ key, tracking_host: host, ...options });
for (const { name, properties } of events) jitsu.track(name, properties);
