/** Return values in groups, each in the order of the values: a map of lists by what `keyOf` returns. */
export function grouped(values, keyOf) {
	const groups = new Map();
	for (const value of values) {
		const key = keyOf(value);
		const group = groups.get(key);
		if (group) group.push(value);
		else groups.set(key, [value]);
	}
	return groups;
}
