/** The dialog that replays events: which of them, where to, and what was answered to each. */

import {el, icon, setText} from "../lib/dom.js";
import {count, oneLine, visible} from "../lib/text.js";
import {clock} from "../lib/time.js";
import {replayOf, replayWarnings, wasTaken} from "../model/replay.js";

const TITLE = "Replay events";
const WORDS =
	"Originals are posted byte for byte, each event once, the oldest first. Jitsu may have added fields to processed ones.";

/**
 * Open the dialog for rows, of which `left` older ones are not listed.
 * @param send takes the name of a target, the lines that were chosen, and the dialog
 */
export function openReplay(targets, rows, left, send) {
	const lines = rows.map(lineOf);
	const chosen = () => lines.filter(({box}) => box?.checked);
	const warnings = el("p.reason.skip");
	const target = el("select", ...targets.map(name => el("option", name)));
	const all = el("input", {type: "checkbox", onchange: chooseAll});
	const list = el("ul", {tabIndex: 0, "aria-label": "Events", onchange: tell}, ...lines.map(({node}) => node));
	const state = el("p", {role: "status"});
	const close = el("button", {autofocus: true, onclick: () => node.close()}, "Cancel");
	const start = el("button.primary", {onclick: begin});
	const form = el(
		"form",
		{onsubmit: event => event.preventDefault()}, // Enter in a check box
		el("h2", TITLE),
		el("p.hint", WORDS),
		warnings,
		el("label.choice", "Target", target),
		rows.length > 1 && el("label.choice.all", all, "All"),
		list,
		left > 0 && el("p.hint", `${count(left, "older event")} not listed`),
		state,
		el("p.buttons", close, start),
	);
	const node = el("dialog.replay", {"aria-label": TITLE, onclose: () => node.remove()}, form);

	function chooseAll() {
		for (const {box} of lines) if (box) box.checked = all.checked;
		tell();
	}

	/** Say how many events are chosen, and what is to be known of them. */
	function tell() {
		const number = chosen().length;
		setText(start, `Replay ${count(number, "event")}`);
		start.disabled = !number;
		all.checked = lines.every(({box}) => !box || box.checked);
		setText(warnings, replayWarnings(chosen()));
	}

	/** Nothing can be chosen any more: only the lines that are sent stay. */
	function begin() {
		const sent = chosen();
		list.replaceChildren(...sent.map(line => line.node));
		target.disabled = true;
		node.classList.add("sent");
		setText(close, "Stop");
		close.focus();
		send(target.value, sent, node).then(words => {
			setText(state, words);
			setText(close, "Close");
		});
	}

	document.body.append(node);
	tell();
	node.showModal();
}

function lineOf(row) {
	const replay = replayOf(row);
	const box = replay.fault ? null : el("input", {type: "checkbox", checked: true});
	const label = el(
		"label.choice",
		box,
		el("time", clock(row.time)),
		el("b", row.type || "no type"),
		replay.changed && el("span.mask", replay.changed),
		el("span.hint", visible(row.stream)),
		el("span.note", replay.fault || row.preview || row.id),
	);
	return {...replay, box, node: el("li", label)};
}

/** Show what was answered to the event of a line. */
export function showAnswer({node}, {status, body, error}) {
	const kind = wasTaken({status}) ? "success" : "error";
	const words = oneLine(error || body || "Empty answer");
	node.append(el("p.answer", el(`b.status.${kind}`, icon(kind), status ?? "No answer"), el("span", words)));
	node.scrollIntoView({block: "nearest"});
}
