"""A Dockerfile as a list of instructions, and the files that it may copy."""

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple


class Instruction(NamedTuple):
    """Such as RUN and what is run; comments are gone, and continued lines are one."""

    name: str
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)

    @property
    def argv(self) -> list[str]:
        """The command of the exec form, such as `["eventscache"]`."""
        return [str(word) for word in json.loads(self.text[self.text.index("[") :])]


def instructions(path: Path) -> list[Instruction]:
    text = re.sub(r"^ *#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE).replace("\\\n", "")
    found = [line.split(None, 1) for line in text.splitlines() if line]
    return [Instruction(name, text) for name, text in found]


def stages(path: Path) -> list[list[Instruction]]:
    """Return the instructions of each stage, beginning with its FROM."""
    found: list[list[Instruction]] = []
    for instruction in instructions(path):
        if instruction.name == "FROM":
            found.append([])
        found[-1].append(instruction)
    return found


def copy_context(source: Path, target: Path, ignore: Path) -> None:
    """Copy what a list of exceptions to ignoring everything (`*`) lets through."""
    first, *lines = ignore.read_text(encoding="utf-8").split()
    assert first == "*"
    never = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    for name in (line.removeprefix("!") for line in lines if line.startswith("!")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns(*never))
        else:
            shutil.copy(source / name, target / name)
