/** Commands to paste into a shell. Secrets are placeholders, as commands get into chats and shell histories. */

import { SERVER_ADDRESS } from "../lib/server_url.js";

const SECRETS = /"(api_?key|apiKey|writeKey|write_key)"\s*:\s*"(?:[^"\\]|\\.)*"/g;

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Send an original event again. */
export function curlFor(original) {
	const body = original.replace(SECRETS, '"$1":"YOUR_TOKEN"');
	return `curl -X POST ${quoted(`${SERVER_ADDRESS}/api/v1/event?token=YOUR_TOKEN`)} \\\n  -d ${quoted(body)}`;
}

/** Send a first event as Jitsu's client does. If no API keys are configured, any token is accepted. */
export const sendEvent = (apiKeys) =>
	curlFor('{"event_type":"pageview","url":"https://example.com/","user":{"anonymous_id":"u1"}}').replace(
		"YOUR_TOKEN",
		apiKeys ? "YOUR_API_KEY" : "my_key",
	);

/** Record what a destination did with an event. */
export function recordOutcome(needsToken) {
	const token = needsToken ? " \\\n  -H 'X-Admin-Token: YOUR_ADMIN_TOKEN'" : "";
	const body = {
		destination_id: "my_destination",
		original: { event_type: "pageview", local_tz_offset: "0" },
		error: "Unsupported column [local_tz_offset] type changing from: INT64 to: STRING",
	};
	const url = quoted(`${SERVER_ADDRESS}/api/v1/events/cache`);
	return `curl -X POST ${url}${token} \\\n  -H 'Content-Type: application/json' \\\n  -d ${quoted(JSON.stringify(body))}`;
}

/** Follow the Redis that Jitsu's configuration names: a part of that configuration. */
export const followJitsu = () => `eventscache:
  sources:
    jitsu_redis: true`;

/** Mirror the requests that Jitsu receives: a part of the configuration of nginx, as the README has it. */
export const nginxMirror = () => String.raw`location ~ ^/(api/v1/((s2s/)?events?/?$|events/bulk$|segment|p\.gif$)|api\.|api/(s|px)/|(v1/)?b(atch(/b)?)?$) {
    mirror /_eventscache; mirror_request_body on;
    proxy_pass http://jitsu:8001;
}
location = /_eventscache {
    internal;
    proxy_pass ${SERVER_ADDRESS}/mirror$request_uri;
    proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_connect_timeout 100ms; proxy_send_timeout 300ms; proxy_read_timeout 300ms;
}`;
