/** The sidecar's API. The token is kept for this tab only, and goes nowhere but into the header. */

const TOKEN = "eventscache.token";
// Relative to the page, as a proxy may serve all of this below a path of its own.
const ROOT = new URL("../", location.href.replace(/[?#].*/, ""));

export class ApiError extends Error {
  /** `status` is 0 if there was no answer at all. */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export const address = () => ROOT.href.replace(/\/$/, "");

export const hasToken = () => Boolean(sessionStorage.getItem(TOKEN));

export function keepToken(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

/** Return an answer that is a success, or throw an `ApiError`. */
export async function ask(path, { method = "GET", headers = {}, signal } = {}) {
  const token = sessionStorage.getItem(TOKEN);
  let answer;
  try {
    answer = await fetch(new URL(path, ROOT), {
      method,
      headers: token ? { ...headers, "X-Admin-Token": token } : headers,
      signal,
      cache: "no-store",
      credentials: "omit",
    });
  } catch (fault) {
    if (signal?.aborted) throw fault;
    throw new ApiError(0, "the server does not answer");
  }
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  throw new ApiError(answer.status, typeof told.message === "string" ? told.message : `status ${answer.status}`);
}

export const askJson = async (path, options) => (await ask(path, options)).json();

/** Return the known `streams` of a namespace, and whether `api_keys` are configured. */
export const streams = (namespace) => askJson(`api/v1/streams?namespace=${namespace}`);

/** Return cached events as texts, one for each, newest first inside a stream. */
export async function cached(parameters, signal) {
  const headers = { Accept: "application/x-ndjson" };
  const answer = await ask(`api/v1/events/cache?${parameters}`, { headers, signal });
  return (await answer.text()).split("\n").filter(Boolean);
}

/** Return how many events a stream keeps and admits in how many seconds. */
export async function quota() {
  const told = await askJson("api/v1/events/cache?ids=");
  return { size: told.cache_capacity_per_interval, seconds: told.interval_seconds };
}

export const clear = (parameters) => askJson(`api/v1/events/cache?${parameters}`, { method: "DELETE" });

export const openStream = (parameters, cursor, signal) =>
  ask(`api/v1/events/stream?${parameters}`, {
    headers: { Accept: "text/event-stream", ...(cursor ? { "Last-Event-ID": cursor } : {}) },
    signal,
  });
