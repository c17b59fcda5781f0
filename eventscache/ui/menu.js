/** One menu for the whole page, opened beside what it is about. */

import { byId, el } from "./dom.js";

let opener = null;

const menu = () => byId("menu");

function close({ refocus = true } = {}) {
  if (menu().hidden) return;
  menu().hidden = true;
  opener?.setAttribute("aria-expanded", "false");
  if (refocus) opener?.focus();
  opener = null;
}

/** @param {[string, () => void][]} choices */
export function openMenu(at, choices) {
  const again = opener === at;
  close();
  if (again) return;
  opener = at;
  at.setAttribute("aria-expanded", "true");
  const pick = (act) => () => {
    close();
    act();
  };
  menu().replaceChildren(
    ...choices.map(([label, act]) =>
      el("button", { type: "button", role: "menuitem", tabIndex: -1, on: { click: pick(act) } }, label),
    ),
  );
  menu().hidden = false;
  const place = at.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu();
  const below = place.bottom + 4 + height < innerHeight ? place.bottom + 4 : Math.max(4, place.top - 4 - height);
  menu().style.left = `${Math.max(4, Math.min(place.left, innerWidth - width - 8))}px`;
  menu().style.top = `${below}px`;
  menu().firstChild.focus();
}

export function prepareMenu() {
  menu().addEventListener("keydown", (event) => {
    const items = [...menu().children];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items.at((items.indexOf(document.activeElement) + step) % items.length).focus();
    else if (event.key === "Escape" || event.key === "Tab") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!menu().contains(event.target) && !opener?.contains(event.target)) close({ refocus: false });
  });
}
