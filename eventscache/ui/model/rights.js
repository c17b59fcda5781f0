/** What the token of this page may do, as the server tells it. Until it has, nothing but reading is offered. */

import {namespace} from "./filter.js";

export class Rights {
	#may = new Set();
	#namespaces = null;

	/** Patterns of the ids of the streams that may be read, or none if all may be. */
	patterns = [];

	/** Whether this is the last answer of the server: after a break of the connection its token may be another one. */
	known = false;

	/** The names of the targets to which events may be replayed. */
	targets = [];

	set({token, may, namespaces, ids, replay_targets: targets}) {
		this.targets = targets;
		this.#may = new Set(may);
		this.#namespaces = new Set(namespaces);
		this.patterns = token === "read" ? ids : [];
		this.known = true;
	}

	may(action) {
		return this.#may.has(action);
	}

	get namespaces() {
		return [...(this.#namespaces ?? ["destination", "token"])];
	}

	/** Whether the streams of a tab may be read. */
	reads(tab) {
		return tab === "errors" || this.namespaces.includes(namespace({tab}));
	}
}
