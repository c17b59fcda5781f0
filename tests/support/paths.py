"""Where things are in the checkout."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
UI = ROOT / "eventscache" / "ui"
PAGES = sorted(path.relative_to(UI).as_posix() for path in UI.rglob("*") if path.is_file())
