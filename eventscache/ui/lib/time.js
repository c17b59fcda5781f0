/** Times: in UTC, as Jitsu writes them, and their ages. */

const pad = (number, length = 2) => String(number).padStart(length, "0");

export const MINUTE = 60_000;

/** Unix microseconds of a timestamp such as `2026-11-23T21:18:53.893127Z`, of which `Date` keeps milliseconds. */
export function microseconds(timestamp) {
	const [, digits = ""] = /\.\d{3}(\d{1,3})/.exec(timestamp) ?? [];
	return Date.parse(timestamp) * 1000 + Number(digits.padEnd(3, "0"));
}

/** `21:18:53.893`, after the date if it is not today. */
export function clock(ms) {
	if (!Number.isFinite(ms)) return "no time";
	const iso = new Date(ms).toISOString();
	const time = iso.slice(11, 23);
	return iso.slice(0, 10) === new Date().toISOString().slice(0, 10) ? time : `${iso.slice(5, 10)} ${time}`;
}

/** `21:18:53`. */
export const time = ms => new Date(ms).toISOString().slice(11, 19);

export function hourMinute(ms) {
	const date = new Date(ms);
	return `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}`;
}

/** `2026-11-23 21:18`. */
export const dateMinute = ms => `${new Date(ms).toISOString().slice(0, 10)} ${hourMinute(ms)}`;

/** @type {[number, string][]} */
const UNITS = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];

export function ago(ms, now = Date.now()) {
	if (!Number.isFinite(ms)) return "";
	const seconds = Math.round((now - ms) / 1000);
	if (Math.abs(seconds) < 1) return "now";
	const [size, unit] = UNITS.find(([size]) => Math.abs(seconds) >= size);
	const amount = `${Math.floor(Math.abs(seconds) / size)} ${unit}`;
	return seconds < 0 ? `in ${amount}` : `${amount} ago`;
}

/** A time span such as `230 ms`, `20.2 s`, `5 min` or `-3 ms`. */
export function duration(ms) {
	const size = Math.abs(ms);
	if (size < 1000) return `${Math.round(ms)} ms`;
	if (size < 60_000) return `${Math.round(ms / 100) / 10} s`;
	const [seconds, unit] = UNITS.find(([seconds]) => size >= seconds * 1000);
	return `${Math.round(ms / seconds / 100) / 10} ${unit}`;
}

/** The value of a `datetime-local` input, read as UTC; NaN if it is empty. */
export const fromInput = value => (value ? Date.parse(`${value}Z`) : NaN);

export const toInput = ms => (Number.isFinite(ms) ? new Date(ms).toISOString().slice(0, 19) : "");
