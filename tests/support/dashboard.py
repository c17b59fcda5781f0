"""The dashboard for Grafana that comes with the program."""

import json
from typing import Any

from tests.support.paths import ROOT

DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "eventscache.json").read_text(encoding="utf-8"))
PANELS: dict[str, dict[str, Any]] = {panel["title"]: panel for panel in DASHBOARD["panels"] if panel["type"] != "row"}
"""By their titles."""
TARGETS: list[dict[str, Any]] = [target for panel in PANELS.values() for target in panel["targets"]]
