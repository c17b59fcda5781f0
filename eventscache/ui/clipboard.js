/** Copying, and saying so. */

import { byId, write } from "./dom.js";

const SHOWN_MS = 2500;
let hiding;

export function toast(text) {
  const node = byId("toast");
  write(node, text);
  node.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => node.classList.remove("shown"), SHOWN_MS);
}

/** The way that works without TLS, where browsers offer no clipboard. */
function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "off-screen";
  const host = document.querySelector("dialog[open]") ?? document.body;
  host.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

export async function copy(text, what) {
  let done = true;
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else done = copyBySelection(text);
  } catch {
    done = copyBySelection(text);
  }
  toast(done ? `${what} copied` : `${what} could not be copied: the browser does not allow it`);
}

export function download(parts, type, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
