/** Error groups, as the server tells them of each namespace. */

import {EMPTY, toHash} from "./filter.js";

/** Return the groups of answers as one list; each with the `tab` of its events, and a `key`. */
export function groupsOf(answers, sort) {
	const groups = answers.flatMap(answer =>
		answer.groups.map(group => {
			const tab = group.streams[0].namespace === "token" ? "incoming" : "processed";
			return {...group, tab, key: `${tab}-${group.group}`};
		}),
	);
	const newest = (a, b) => Number(b.last > a.last) - Number(b.last < a.last);
	return groups.sort((a, b) => (sort && b.count - a.count) || newest(a, b));
}

/** The address of the list of a group's last events. */
export const hrefOf = ({tab, group}) => toHash({...EMPTY, tab, group});

/** The parameters by which the last events of a group are read: its newest streams come first. */
export const exampleParameters = ({group, streams}, limit) =>
	new URLSearchParams({namespace: streams[0].namespace, ids: streams.slice(0, limit).map(({id}) => id), group, limit});
