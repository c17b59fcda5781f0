// Segment's client for Node.
import { Analytics } from "@segment/analytics-node";
import { given } from "./given.mjs";

const { host, path, key, events, options } = await given();
const analytics = new Analytics({ host, path, writeKey: key, ...options });
analytics.on("error", ({ code, reason }) => console.log(`${code}: ${reason}`));
analytics.on("http_request", ({ url }) => console.log(`sends to ${url}`));
for (const { name, properties } of events) analytics.track({ userId: "user-7", event: name, properties });
await analytics.closeAndFlush();
