// Calls functions of the page's modules: reads `[[module, name, arguments], ...]`, and writes their results.
import { text } from "node:stream/consumers";

const FOLDER = new URL("../../eventscache/ui/", import.meta.url);

const results = [];
for (const [module, name, given] of JSON.parse(await text(process.stdin))) {
	const functions = await import(new URL(module, FOLDER));
	results.push(functions[name](...given) ?? null);
}
process.stdout.write(JSON.stringify(results));
