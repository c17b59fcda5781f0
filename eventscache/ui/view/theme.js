/** The theme: light or dark, as in the system until somebody chooses. */

const KEY = "eventscache.theme";

function applyTheme() {
	const theme = localStorage.getItem(KEY);
	if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
}

export function toggleTheme() {
	const dark = matchMedia("(prefers-color-scheme: dark)").matches;
	const current = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
	localStorage.setItem(KEY, current === "dark" ? "light" : "dark");
	applyTheme();
	return localStorage.getItem(KEY);
}

applyTheme();
