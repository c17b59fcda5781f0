"""The alerts for Prometheus that come with the program."""

from typing import Any

import yaml

from tests.support.paths import ROOT

FILE = ROOT / "deploy" / "prometheus" / "alerts.yaml"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
}
"""By their names, in their order."""
