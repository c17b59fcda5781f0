// What a client is to send, as JSON on the standard input: {host, path, key, events, options}.
export async function given() {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
  return JSON.parse(text);
}
