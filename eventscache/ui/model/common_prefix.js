/** What texts have in common at their beginnings, so that it need not be shown with each of them. */

const SEPARATORS = ". _-/:|";
const LEAST = 4; // characters: for fewer, the ellipsis saves nothing

/** Return the longest common beginning that ends with a separator; "" if one of the texts would be empty without it. */
export function commonPrefix(texts) {
	let first; // a row without such a text has none
	let end = Infinity;
	for (const text of texts) {
		first ||= text;
		if (!text || text === first) continue;
		const most = Math.min(end, text.length - 1, first.length - 1);
		for (end = 0; end < most && text[end] === first[end]; ) end += 1;
	}
	if (end === Infinity) return ""; // they are all the same
	while (end > 0 && !SEPARATORS.includes(first[end - 1])) end -= 1;
	return end < LEAST ? "" : first.slice(0, end);
}
