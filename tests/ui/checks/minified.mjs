// Compares modules with what is served of them: reads `[[name, module, served], ...]`, and writes the names of those whose
// served text is not the same program. Space and comments make no part of one; where a statement ends, and all texts, do.
import {text} from "node:stream/consumers";
import typescript from "typescript";

/** A program as a list: each node as its kind and its parts, each word and sign as its kind and its text. */
function programOf(source) {
	const file = typescript.createSourceFile("module.js", source, typescript.ScriptTarget.ESNext, true);
	const shape = node => {
		const parts = node.getChildren(file).filter(part => !typescript.isJSDoc(part));
		return [node.kind, node.getChildCount(file) ? parts.map(shape) : node.getText(file)];
	};
	return [file.parseDiagnostics.map(({messageText}) => messageText), shape(file)];
}

const modules = JSON.parse(await text(process.stdin));
const same = ([, one, other]) => JSON.stringify(programOf(one)) === JSON.stringify(programOf(other));
process.stdout.write(JSON.stringify(modules.filter(each => !same(each)).map(([name]) => name)));
