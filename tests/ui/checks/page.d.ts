// What the types of the browser leave open, and this page knows.

/** The elements of index.html that are more than an `HTMLElement`. */
interface PageElements {
	"clear-dialog": HTMLDialogElement;
	column: HTMLInputElement;
	"custom-end": HTMLInputElement;
	"custom-start": HTMLInputElement;
	"errors-sort": HTMLSelectElement;
	"help-dialog": HTMLDialogElement;
	range: HTMLSelectElement;
	search: HTMLInputElement;
	status: HTMLSelectElement;
	"streams-search": HTMLInputElement;
	token: HTMLInputElement;
	"token-dialog": HTMLDialogElement;
	type: HTMLInputElement;
}

interface Document {
	getElementById<Id extends keyof PageElements>(id: Id): PageElements[Id];
}

/** The page listens to its elements only; those whose values it reads are inputs. */
interface EventTarget {
	value: string;
	blur(): void;
	closest(selectors: string): HTMLElement | null;
	matches(selectors: string): boolean;
}

/** All elements are of HTML or SVG, and both kinds have these. */
interface Element {
	dataset: DOMStringMap;
	tabIndex: number;
	focus(options?: FocusOptions): void;
}
