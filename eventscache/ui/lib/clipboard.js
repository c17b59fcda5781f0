/** Handing texts out of the page: to the clipboard, or as a file. */

/** Copy without TLS, where browsers offer no clipboard. */
function copyBySelection(text) {
	const area = document.createElement("textarea");
	area.value = text;
	area.className = "off-screen";
	const parent = document.querySelector("dialog[open]") ?? document.body;
	parent.append(area);
	area.select();
	const copied = document.execCommand("copy");
	area.remove();
	return copied;
}

/** Copy a text; resolves to whether the browser allowed it. */
export async function writeClipboard(text) {
	try {
		if (!navigator.clipboard) return copyBySelection(text);
		await navigator.clipboard.writeText(text);
		return true;
	} catch {
		return copyBySelection(text);
	}
}

/** Let the browser save a file. */
export function download(parts, type, name) {
	const link = document.createElement("a");
	link.href = URL.createObjectURL(new Blob(parts, {type}));
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
