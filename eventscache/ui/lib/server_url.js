/** Where the server is: relative to the page, as a proxy may serve all of this below a path of its own. */

export const SERVER_URL = new URL("../", location.href.replace(/[?#].*/, ""));

/** The same without a slash at the end, to build an address from. */
export const SERVER_ADDRESS = SERVER_URL.href.replace(/\/$/, "");
