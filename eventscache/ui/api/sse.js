/** Server-sent events, read from the body of an answer: `EventSource` cannot send the token in a header. */

/** Yield `{event, data, id}` for each message, and null for each comment, as they arrive. */
export async function* readMessages(body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = "";
	let message = {event: "message", data: [], id: null};
	try {
		for (;;) {
			const {value, done} = await reader.read();
			if (done) return;
			const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
			rest = lines.pop();
			for (const line of lines) {
				if (line === "") {
					if (message.data.length) yield {...message, data: message.data.join("\n")};
					message = {event: "message", data: [], id: null};
				} else if (line.startsWith(":")) {
					yield null;
				} else {
					const colon = line.indexOf(":");
					const name = colon < 0 ? line : line.slice(0, colon);
					const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
					if (name === "data") message.data.push(text);
					else if (name === "event" || name === "id") message[name] = text;
				}
			}
		}
	} finally {
		reader.cancel().catch(() => {}); // the connection may be broken
	}
}
