/** What an event is about, in a few words: what its kind is known by, and then `key=value` pairs, the most useful first. */

import {isObject} from "../lib/json.js";
import {joinPath} from "../lib/path.js";
import {oneLine} from "../lib/text.js";
import {maskOf} from "./mask.js";

// Fields that a summary leaves out: they are the same in most events, or have a column of their own.
const LEFT_OUT = new Set([
	"api_key", "apiKey", "event_type", "event_id", "messageId", "message_id", "src", "user_agent", "utc_time",
	"local_tz_offset", "type", "doc_encoding", "_timestamp", "sdk_version", "screen_resolution", "vp_size",
	"user_language", "source_ip", "timestamp", "sentAt", "receivedAt", "originalTimestamp", "channel", "version",
	"projectId", "app_build_id", "doc_host", "eventn_ctx_event_id",
]);
// Fields that a summary shows first.
const FIRST = ["event", "url", "doc_path", "page_title", "email", "internal_id", "user", "properties", "anonymous_id"];
const MOST_PAIRS = 6;
const PAGE = /page|screen/i;
const PATHS = [["doc_path"], ["context", "page", "path"], ["properties", "path"], ["page", "path"]];
const URLS = [["url"], ["doc_url"], ["context", "page", "url"], ["properties", "url"], ["page", "url"]];
const SALE = /purchase|order|checkout|payment|sale|transaction/i;
const SALES = [[], ["properties"], ["order"], ["purchase"], ["ecommerce"], ["conversion"]];
const AMOUNTS = ["revenue", "total", "amount", "value", "price"];

const at = (original, keys) => keys.reduce((value, key) => (isObject(value) ? value[key] : undefined), original);
const isPlain = value => typeof value === "string" ? value !== "" : typeof value === "number";

/** The path of a page, without what all pages of a site have in common. */
function pageWords(original, write) {
	const path = PATHS.find(keys => isPlain(at(original, keys)));
	if (path) return [write(path), path];
	const url = URLS.find(keys => isPlain(at(original, keys)));
	return url && [write(url).replace(/^https?:\/\/[^/?#]*(?=\/)/, ""), url];
}

function saleWords(original, write) {
	for (const parent of SALES) {
		const name = AMOUNTS.find(key => isPlain(at(original, [...parent, key])));
		if (!name) continue;
		const currency = [...parent, "currency"];
		const keys = [...parent, name];
		return [isPlain(at(original, currency)) ? `${write(keys)} ${write(currency)}` : write(keys), keys, currency];
	}
	return null;
}

/** Which request a destination was sent, and what it answered. */
function requestWords({success, response}) {
	if (typeof success?.url !== "string") return "";
	const host = /^\w+:\/\/([^/?#]+)/.exec(success.url)?.[1] ?? success.url;
	return [success.method ?? "GET", host, response?.status].filter(isPlain).join(" ");
}

/**
 * Return pairs, each with its words, and with its path and its value if it can be filtered by.
 * @param numberAt returns the number at a list of keys, exactly as received
 */
export function summary(event, original, numberAt) {
	const exact = keys => (typeof at(original, keys) === "number" ? numberAt(keys) : String(at(original, keys)));
	const write = keys => oneLine((event.masked === true && maskOf(exact(keys))?.[0]) || exact(keys), 80);
	const pair = (text, keys) => ({words: oneLine(text, 100), path: joinPath(keys), value: exact(keys)});
	const type = [original.event_type, original.type, original.event].join(" ");
	const [words, ...said] = (SALE.test(type) && saleWords(original, write)) || (PAGE.test(type) && pageWords(original, write)) || [];
	const request = requestWords(event);
	const begin = [request && {words: oneLine(request, 100)}, words && pair(words, said[0])].filter(Boolean);
	const told = new Set(said.map(keys => keys.join("\n")));
	const pairs = leftOut => {
		const found = [];
		const visit = path => {
			const object = at(original, path);
			const keys = Object.keys(object).filter(key => !leftOut.has(key));
			const rank = key => FIRST.indexOf(key) + 1 || FIRST.length + 1;
			for (const key of keys.sort((a, b) => rank(a) - rank(b))) {
				if (found.length >= MOST_PAIRS) return;
				const inner = [...path, key];
				const value = object[key];
				if (isObject(value)) {
					if (path.length < 2) visit(inner);
				} else if (value !== "" && value !== null && !Array.isArray(value) && !told.has(inner.join("\n"))) {
					found.push(pair(`${key}=${write(inner)}`, inner));
				}
			}
		};
		visit([]);
		return found;
	};
	const all = [...begin, ...pairs(LEFT_OUT)];
	const shown = all.length ? all : pairs(new Set());
	return shown.length ? shown : [{words: "no fields"}];
}
