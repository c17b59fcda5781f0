"""What the files of locked versions hold."""

import re

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.paths import ROOT


def locked(name: str) -> dict[str, tuple[Requirement, int]]:
    """Return what a file locks by name, with the number of its hashes."""
    found: dict[str, tuple[Requirement, int]] = {}
    lock = (ROOT / name).read_text(encoding="utf-8")
    for text in re.sub(r"^ *#.*\n|\\\n", "", lock, flags=re.MULTILINE).splitlines():
        requirement, *hashes = text.split(" --hash=sha256:")
        assert all(re.fullmatch("[0-9a-f]{64}", digest.strip()) for digest in hashes), text
        parsed = Requirement(requirement)
        assert canonicalize_name(parsed.name) not in found, text
        found[canonicalize_name(parsed.name)] = (parsed, len(hashes))
    return found
