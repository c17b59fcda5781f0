// Calls functions of the page's modules: reads `[[module, name, arguments], ...]`, and writes their results. For a class
// the arguments are calls of its methods, `[[name, arguments], ...]`, and the result has one for each.
import { text } from "node:stream/consumers";

const FOLDER = new URL("../../eventscache/ui/", import.meta.url);

function methods(Class, calls) {
	const made = new Class();
	return calls.map(([name, given]) => made[name](...given) ?? null);
}

const results = [];
for (const [module, name, given] of JSON.parse(await text(process.stdin))) {
	const found = (await import(new URL(module, FOLDER)))[name];
	try {
		results.push(/^[A-Z]/.test(name) ? methods(found, given) : (found(...given) ?? null));
	} catch (fault) {
		results.push({ fault: fault.name });
	}
}
process.stdout.write(JSON.stringify(results));
