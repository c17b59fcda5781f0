"""Parts of the README that tests run."""

import re

from tests.support.paths import ROOT


def nginx_lines() -> str:
    """Return the complete nginx.conf of the README."""
    (lines,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return str(lines)
