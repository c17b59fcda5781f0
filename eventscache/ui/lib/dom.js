/** Building elements. Texts become text nodes only: what an event holds is never markup. */

const SVG = "http://www.w3.org/2000/svg";

/** Paths on a grid of 16, drawn with the colour of the text around them. */
const ICONS = {
	success: ["M3 8.5l3.2 3.2L13 4.8"],
	error: ["M4 4l8 8", "M12 4l-8 8"],
	malformed: ["M6 3H4.5v4L3 8l1.5 1v4H6", "M9 3l-2 10", "M11 3h1v3", "M12 10v3h-1.5"],
	skip: ["M3 4l5 4-5 4", "M12 4v8"],
	pending: ["M8 4.5V8l2.2 1.6", "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 0 0 0-11"],
	received: ["M8 2.5v8", "M4.5 7.5L8 11l3.5-3.5", "M3 13.5h10"],
	new: ["M8 3v10", "M3 8h10"],
	rising: ["M3 12l9-8", "M6.5 4H12v5.5"],
	steady: ["M3 8h10", "M9.5 4.5L13 8l-3.5 3.5"],
	falling: ["M3 4l9 8", "M12 6.5V12H6.5"],
	quiet: ["M3 8h10"],
	gap: ["M3 8h.01", "M8 8h.01", "M13 8h.01"],
	close: ["M4 4l8 8", "M12 4l-8 8"],
};

/**
 * Return an element: with properties, if an object comes first, and with children, of which those that are null or false
 * are left out. Properties such as `role` and `aria-*` become attributes; `onclick` is a listener.
 * @param tag `div`, or with classes `div.row.error`
 */
export function el(tag, ...children) {
	const [name, ...classes] = tag.split(".");
	const properties = children[0]?.constructor === Object ? children.shift() : {};
	const node = document.createElement(name);
	if (name === "button") node.type = "button"; // not one that submits a form
	node.classList.add(...classes);
	for (const [key, value] of Object.entries(properties)) {
		if (isNone(value)) continue;
		if (key in node && !key.includes("-")) node[key] = value;
		else node.setAttribute(key, value === true ? "" : String(value));
	}
	node.append(...children.filter(child => !isNone(child)));
	return node;
}

const isNone = value => value === false || value === null || value === undefined;

export function icon(name) {
	const svg = document.createElementNS(SVG, "svg");
	svg.setAttribute("viewBox", "0 0 16 16");
	svg.setAttribute("class", "icon");
	svg.setAttribute("aria-hidden", "true");
	for (const line of ICONS[name] ?? ICONS.pending) {
		const path = document.createElementNS(SVG, "path");
		path.setAttribute("d", line);
		svg.append(path);
	}
	return svg;
}

/** @type {typeof document.getElementById} */
export const byId = id => document.getElementById(id);

/** Listen to a node: `acts` has what to do by the names of events. */
export function listen(node, acts) {
	for (const [name, act] of Object.entries(acts)) node.addEventListener(name, act);
}

/** Say that an event is dealt with: neither the browser nor another part of the page acts on it. */
export function settle(event) {
	event.preventDefault();
	event.stopPropagation();
}

/** Set a text only if it changes, so that browsers and screen readers do nothing without need. */
export function setText(node, text) {
	if (node.textContent !== text) node.textContent = text;
}

export function show(node, visible) {
	if (node.hidden === visible) node.hidden = !visible;
}

/** Show a text, or hide its node while there is none. */
export function showText(node, text) {
	setText(node, text);
	show(node, text !== "");
}
