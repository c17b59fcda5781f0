/** Server-sent events, read from a body: `EventSource` could not send the token in a header. */

/**
 * Yield `{event, data, id}` for each frame, and null for a comment, as its bytes arrive.
 * @param {ReadableStream<Uint8Array>} body
 */
export async function* readFrames(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let frame = { event: "message", data: [], id: null };
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (frame.data.length) yield { ...frame, data: frame.data.join("\n") };
          frame = { event: "message", data: [], id: null };
        } else if (line.startsWith(":")) {
          yield null;
        } else {
          const colon = line.indexOf(":");
          const name = colon < 0 ? line : line.slice(0, colon);
          const text = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
          if (name === "data") frame.data.push(text);
          else if (name === "event" || name === "id") frame[name] = text;
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {}); // it may have failed already
  }
}
