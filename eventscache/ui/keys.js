/** Keys: one letter each, and none while somebody types. */

const TYPING = "input:not([type=checkbox]), textarea, select, [contenteditable]";
const PRESSABLE = "button, a, summary, [role=menuitem], input[type=checkbox]";

/** Call `commands[key]` for keys that are meant for the page. */
export function listenForKeys(commands) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const { target, key } = event;
    if (document.querySelector("dialog[open]")) return; // it has keys of its own
    if (target.matches(TYPING)) {
      if (key === "Escape") target.blur();
      return;
    }
    if ((key === " " || key === "Enter") && target.matches(PRESSABLE)) return;
    if (key.startsWith("Arrow") && target.id !== "list" && target !== document.body) return;
    const command = commands[key];
    if (!command) return;
    event.preventDefault();
    command();
  });
}
