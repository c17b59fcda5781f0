/** The theme: as in the system, light, or dark. */

const KEY = "eventscache.theme";
const THEMES = ["system", "light", "dark"];

function applyTheme() {
	const theme = localStorage.getItem(KEY);
	if (THEMES.includes(theme)) document.documentElement.dataset.theme = theme;
}

export function toggleTheme() {
	const current = THEMES.indexOf(document.documentElement.dataset.theme ?? "system");
	localStorage.setItem(KEY, THEMES[(current + 1) % 3]);
	applyTheme();
	return localStorage.getItem(KEY);
}

applyTheme();
