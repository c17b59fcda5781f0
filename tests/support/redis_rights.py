"""The user that storages are tested as: with the least rights, as the documentation tells an operator to make it."""

import re

from tests.support.paths import ROOT

USER, PASSWORD = "eventscache", "the-tests-password"

_DOCUMENTATION = (ROOT / "docs" / "redis.md").read_text(encoding="utf-8")


def options() -> list[str]:
    """Return the words of a redis-server's command line that make the user."""
    (rule,) = re.findall(r"^ACL SETUSER (.*)$", _DOCUMENTATION, re.MULTILINE)
    (more,) = re.findall(r"For a Cluster, add `([^`]*)`", _DOCUMENTATION)
    return ["--user", *f"{rule} {more}".replace("PASSWORD", PASSWORD).split()]
