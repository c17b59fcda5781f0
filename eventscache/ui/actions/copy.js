/** Copying, with a message that says whether it worked. */

import {writeClipboard} from "../lib/clipboard.js";
import {toast} from "../view/toast.js";

/** @param what the name of the text, such as "Link" */
export async function copy(text, what) {
	const copied = await writeClipboard(text);
	toast(copied ? `${what} copied` : `${what} could not be copied: the browser does not allow it`);
}

export const copyLink = () => copy(location.href, "Link");
