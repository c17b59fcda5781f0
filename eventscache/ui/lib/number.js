/** Numbers as JSON writes them, of any size: JavaScript's own would round them, or make 1e400 and 1e500 the same. */

const NUMBER = /^([+-]?)(?=\.?\d)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/** Return `{sign, exponent, digits}` of 0.digits times ten to the exponent; null if the text is no number. */
function read(text) {
	const found = NUMBER.exec(text);
	if (!found) return null;
	const [, sign, whole, decimals = "", exponent = "0"] = found;
	const all = whole + decimals;
	const first = all.search(/[1-9]/);
	if (first < 0) return {sign: 0, exponent: 0n, digits: ""};
	let end = all.length;
	while (all[end - 1] === "0") end -= 1;
	return {
		sign: sign === "-" ? -1 : 1,
		exponent: BigInt(exponent) + BigInt(whole.length - first),
		digits: all.slice(first, end),
	};
}

const order = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

/** Compare two numbers: negative, 0 or positive as the first is less, the same or more; NaN if a text is no number. */
export function compareNumbers(one, other) {
	const [a, b] = [read(one.trim()), read(other.trim())];
	if (!a || !b) return NaN;
	if (a.sign !== b.sign || a.sign === 0) return order(a.sign, b.sign);
	return a.sign * (order(a.exponent, b.exponent) || order(a.digits, b.digits));
}
