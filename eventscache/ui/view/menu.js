/** The menu of the page, opened beside a button. */

import {byId, el, listen, settle} from "../lib/dom.js";

let opener = null;

const menu = () => byId("menu");

function close({refocus = true} = {}) {
	if (menu().hidden) return;
	menu().hidden = true;
	if (opener) opener.ariaExpanded = "false";
	if (refocus) opener?.focus();
	opener = null;
}

/** Put a node that is shown below a button, or above it, inside the window. */
export function placeBeside(at, {offsetWidth: width, offsetHeight: height, style}) {
	const box = at.getBoundingClientRect();
	const below = box.bottom + 4 + height < innerHeight ? box.bottom + 4 : Math.max(4, box.top - 4 - height);
	style.left = `${Math.max(4, Math.min(box.left, innerWidth - width - 8))}px`;
	style.top = `${below}px`;
}

/** @param choices labels, and what they do */
export function openMenu(at, choices) {
	const again = opener === at;
	close();
	if (again) return;
	opener = at;
	at.ariaExpanded = "true";
	const pick = act => () => {
		close();
		act();
	};
	menu().replaceChildren(
		...choices.map(([label, act]) => el("button", {role: "menuitem", tabIndex: -1, onclick: pick(act)}, label)),
	);
	menu().ariaLabel = at.ariaLabel ?? at.textContent;
	menu().hidden = false;
	placeBeside(at, menu());
	menu().firstElementChild.focus();
}

export function listenToMenu() {
	listen(menu(), {keydown: event => {
		const items = [...menu().children];
		const step = {ArrowDown: 1, ArrowUp: -1}[event.key];
		if (step) items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
		else if (event.key === "Escape" || event.key === "Tab") close();
		else return;
		settle(event);
	}});
	listen(document, {pointerdown: ({target}) => {
		if (target instanceof Node && !menu().contains(target) && !opener?.contains(target)) close({refocus: false});
	}});
}
