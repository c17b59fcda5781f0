/** Reading what the token may do, and where the types of events are. */

import {fetchAccess} from "../api/fetch.js";
import {setTypePath} from "../model/event.js";

/** Throws `ApiError` if the server does not tell; then the rights stay as they were. */
export async function readRights(rights) {
	const access = await fetchAccess();
	setTypePath(access.type_path);
	rights.set(access);
}
