// Reads `[[name, module], ...]`, and writes the names of those that are no module to this JavaScript engine, with its reasons.
import {text} from "node:stream/consumers";
import {SourceTextModule} from "node:vm";

function faultOf([name, source]) {
	try {
		void new SourceTextModule(source);
		return [];
	} catch (fault) {
		return [[name, fault.message]];
	}
}

process.stdout.write(JSON.stringify(JSON.parse(await text(process.stdin)).flatMap(faultOf)));
