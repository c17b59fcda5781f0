/** Reading what the token may do. */

import {fetchAccess} from "../api/fetch.js";

/** Throws `ApiError` if the server does not tell; then the rights stay as they were. */
export async function readRights(rights) {
	rights.set(await fetchAccess());
}
