/** What is followed: it is kept whatever the rate limit leaves out. Only admins see and change it. */

import {requestFollows} from "../api/fetch.js";
import {splitPath} from "../lib/path.js";
import {shortened} from "../lib/text.js";
import {drawFollows} from "../view/follow_bar.js";
import {toast} from "../view/toast.js";

const MINUTES = 15;
const EVERY_MS = 10_000;

export class Follows {
	#all = [];
	#readAt = 0;

	/** `parts` has the `filter`, the `navigation` and the `rights`. */
	constructor(parts) {
		this.parts = parts;
	}

	get #allowed() {
		return this.parts.rights.may("write");
	}

	/** Once a second: show how long it still lasts. */
	tick() {
		if (this.#allowed && Date.now() - this.#readAt > EVERY_MS) this.#read();
		this.draw();
	}

	draw() {
		const all = this.#allowed ? this.#all.filter(({until}) => Date.parse(until) > Date.now()) : [];
		const {filter, navigation} = this.parts;
		const show = follow => navigation.change({follow, group: ""});
		drawFollows(all, filter.follow, {show, end: id => this.#end(id)});
	}

	async #read() {
		this.#readAt = Date.now();
		this.#all = (await requestFollows("GET").catch(() => null))?.follows ?? this.#all; // the push says what is wrong
		this.draw();
	}

	/** Return the choice of a menu that follows a value, or none. */
	choices(path, value) {
		const keys = splitPath(path);
		const offered = this.#allowed && keys?.every(key => !String(key).includes("."));
		return offered ? [[`Follow for ${MINUTES} minutes`, () => this.#start(keys.join("."), value)]] : [];
	}

	async #start(path, value) {
		const name = shortened(`${path} = ${value}`, 80);
		const follow = {name, minutes: MINUTES, fields: [{path, equals: value}]};
		await this.#change(requestFollows("POST", "", JSON.stringify(follow)), `Following ${name}`);
	}

	async #end(id) {
		await this.#change(requestFollows("DELETE", `/${id}`), "No longer followed");
		if (this.parts.filter.follow === id) this.parts.navigation.change({follow: ""});
	}

	async #change(request, done) {
		toast(await request.then(() => done, fault => `Nothing was changed: ${fault.message}`));
		await this.#read();
	}
}
