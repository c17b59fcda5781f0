/** Commands to paste into a shell. Secrets are placeholders: a command ends up in chats and histories. */

import { address } from "./api.js";

const SECRETS = /"(api_?key|apiKey|writeKey|write_key)"\s*:\s*"(?:[^"\\]|\\.)*"/g;

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Send an original again. */
export function curlFor(original) {
  const body = original.replace(SECRETS, '"$1":"YOUR_TOKEN"');
  return `curl -X POST ${quoted(`${address()}/api/v1/event?token=YOUR_TOKEN`)} \\\n  -d ${quoted(body)}`;
}

/** Send a first event, as Jitsu's own client does; any token will do where no API keys are configured. */
export const firstEvent = (apiKeys) =>
  curlFor('{"event_type":"pageview","url":"https://example.com/","user":{"anonymous_id":"u1"}}').replace(
    "YOUR_TOKEN",
    apiKeys ? "YOUR_API_KEY" : "my_key",
  );

/** Record what a destination did with one. */
export function firstRecord(needsToken) {
  const token = needsToken ? " \\\n  -H 'X-Admin-Token: YOUR_ADMIN_TOKEN'" : "";
  const body = {
    destination_id: "my_destination",
    original: { event_type: "pageview", local_tz_offset: "0" },
    error: "Unsupported column [local_tz_offset] type changing from: INT64 to: STRING",
  };
  const url = quoted(`${address()}/api/v1/events/cache`);
  return `curl -X POST ${url}${token} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify(body))}`;
}

/** Mirror what Jitsu receives. */
export const nginxMirror = () => `location ~ ^/api/v1/((s2s/)?events?|s2s/event/)$ {
    mirror /_eventscache; mirror_request_body on;
    proxy_pass http://jitsu:8001;
}
location = /_eventscache {
    internal;
    proxy_pass ${address()}$request_uri;
    proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_connect_timeout 100ms; proxy_send_timeout 300ms; proxy_read_timeout 300ms;
}`;
