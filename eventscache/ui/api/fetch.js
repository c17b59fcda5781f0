/** Requests to the server's API. The token is stored for this tab only, and is sent in a header only. */

import {SERVER_URL} from "../lib/server_url.js";
import {readEvent} from "../model/event.js";

const TOKEN = "eventscache.token";

/** An answer that is an error. `status` is 0 if there was no answer; `code` names errors that have a name, or is "". */
export class ApiError extends Error {
	constructor(status, message, code = "") {
		super(message);
		this.status = status;
		this.code = code;
	}
}

export const hasToken = () => Boolean(sessionStorage.getItem(TOKEN));

export const storeToken = token => sessionStorage.setItem(TOKEN, token);

/**
 * Return an answer that is a success, or throw an `ApiError`.
 * @param {string} path
 * @param {RequestInit} options
 */
async function request(path, {method = "GET", headers = {}, body, signal} = {}) {
	const token = sessionStorage.getItem(TOKEN);
	let answer;
	try {
		answer = await fetch(new URL(path, SERVER_URL), {
			method,
			headers: token ? {...headers, "X-Admin-Token": token} : headers,
			body,
			signal,
			cache: "no-store",
			credentials: "omit",
		});
	} catch (fault) {
		if (signal?.aborted) throw fault;
		throw new ApiError(0, "the server does not answer");
	}
	if (answer.ok) return answer;
	const {message, code} = (await answer.json().catch(() => null)) ?? {};
	throw new ApiError(answer.status, typeof message === "string" ? message : `status ${answer.status}`, code);
}

const requestJson = async (path, options) => (await request(path, options)).json();

/** Return which kind of `token` this page has, what it `may` do, which streams it may read, and where it may replay to. */
export const fetchAccess = () => requestJson("api/v1/access");

/** Return the known `streams` of a namespace, whether `api_keys` are configured, and the `sources`. */
export const fetchStreams = namespace => requestJson(`api/v1/streams?namespace=${namespace}`);

/** Return cached events as JSON texts, newest first inside a stream. */
export async function fetchEvents(parameters) {
	const answer = await request(`api/v1/events/cache?${parameters}`, {headers: {Accept: "application/x-ndjson"}});
	return (await answer.text()).split("\n").filter(Boolean);
}

/** Return cached events as rows, in the same order. */
export async function fetchRows(parameters) {
	const sources = await fetchEvents(parameters);
	return sources.map(source => readEvent(source)?.row).filter(Boolean);
}

/** Return the ways of the event with that id. */
export const fetchLookup = eventId => requestJson(`api/v1/lookup?${new URLSearchParams({ event_id: eventId })}`);

/** Return the error groups of a namespace, the newest first or as `sort` says. */
export const fetchErrors = (namespace, sort) => requestJson(`api/v1/errors?namespace=${namespace}&sort=${sort}`);

/** Read what is followed (GET: `follows`, each with `id`, `name` and `until`), begin with a POST, or end one by its path. */
export const requestFollows = (method, path = "", body = undefined) =>
	requestJson(`api/v1/follows${path}`, {method, body, headers: {"Content-Type": "application/json"}});

/** Post events again; return the `answers`, each with a `status` and a `body`, or an `error`. */
export const postReplay = asked => requestJson("api/v1/replay", {method: "POST", body: JSON.stringify(asked)});

/** Return how many events a stream admits, and in how many seconds. */
export async function fetchQuota() {
	const answer = await requestJson("api/v1/events/cache?ids=");
	return {size: answer.cache_capacity_per_interval, seconds: answer.interval_seconds};
}

/** Delete cached events; return how many were `cleared`. */
export const deleteEvents = parameters => requestJson(`api/v1/events/cache?${parameters}`, {method: "DELETE"});

/** Open the push, after the event that a cursor names. */
export const openPush = (parameters, cursor, signal) =>
	request(`api/v1/events/stream?${parameters}`, {
		headers: {Accept: "text/event-stream", ...(cursor ? {"Last-Event-ID": cursor} : {})},
		signal,
	});
