"""The user that storages are tested as: with the least rights, as the papers tell an operator to make it."""

import re

from tests.support.paths import ROOT

USER, PASSWORD = "eventscache", "the-tests-password"

_PAPER = (ROOT / "docs" / "redis.md").read_text(encoding="utf-8")


def options() -> list[str]:
    """Return the words of a redis-server's command line that make the user."""
    (rule,) = re.findall(r"^ACL SETUSER (.*)$", _PAPER, re.MULTILINE)
    (more,) = re.findall(r"For a Cluster, add `([^`]*)`", _PAPER)
    return ["--user", *f"{rule} {more}".replace("PASSWORD", PASSWORD).split()]
