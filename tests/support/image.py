"""An image as a Dockerfile makes it, without Docker: its instructions run over the file system of this machine.

So Python, pip and the compiler are this machine's, and not those of the base images. All else is real: what the
instructions write stays apart, and a command runs as the image's user, with no right but to read.
"""

import os
import shutil
import string
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.dockerfile import Instruction, stages
from tests.support.missing import program

# $1: the folder; $2: ro or rw; $3, $4: user and group; then the command.
_ENTER = """
set -e
folder=$1 mode=$2 user=$3 group=$4
shift 4
mount -t overlay overlay -o "lowerdir=/,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
mount --rbind /proc "$folder/root/proc"
mount --rbind /dev "$folder/root/dev"
mount -o "remount,bind,$mode" "$folder/root"
set -- setpriv --reuid="$user" --regid="$group" --clear-groups --no-new-privs "$@"
exec chroot "$folder/root" "$@"
"""
_PYTHON = Path(sys.executable).parent
_BASE_PYTHON = Path(sys.base_prefix) / "bin"
_SECONDS = 300


class Stage:
    """The file system and the settings that the instructions of one stage leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True)
        self.environ = {"PATH": f"{_PYTHON}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        self.directory = "/"
        self.user = "0:0"
        self.command: list[str] = []
        self.health: list[str] = []
        # The Python of a base image may be run by everybody; that of a machine may be in somebody's home.
        for path in reversed(_BASE_PYTHON.parents):
            above = self.path(str(path))
            above.mkdir(exist_ok=True)
            above.chmod(0o755)

    def path(self, path: str) -> Path:
        """Return where a file of this stage is."""
        return self.folder / "upper" / os.path.join(self.directory, path).lstrip("/")  # noqa: PTH118 - as Docker joins

    def argv(self, command: list[str], *, user: str = "0:0", read_only: bool = False) -> list[str]:
        """Return a command line that runs a command in the image; its process becomes that of the command."""
        arguments = [str(self.folder), "ro" if read_only else "rw", *user.split(":"), *command]
        return ["unshare", "--mount", "sh", "-c", _ENTER, "sh", *arguments]

    def run(
        self, command: list[str], *, user: str = "0:0", read_only: bool = False, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(command, user=user, read_only=read_only),
            capture_output=True,
            text=True,
            check=False,
            env={**self.environ, **environ},
            timeout=_SECONDS,
        )

    def copy(self, source: Path, target: str) -> None:
        """Copy a file into a folder, or the content of a folder to another one."""
        if source.is_dir():
            shutil.copytree(source, self.path(target), symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copy(source, self.path(target))


class Image:
    """The last stage of a Dockerfile, built of the files in `context`."""

    def __init__(self, folder: Path, dockerfile: Path, context: Path) -> None:
        for name in ("unshare", "setpriv"):
            program(name, "apt-get install util-linux")
        self._folder = folder
        self._context = context
        self._named: dict[str, Stage] = {}
        for number, (base, *rest) in enumerate(stages(dockerfile)):
            self.last = Stage(folder / str(number))
            self._named[base.words[-1]] = self.last
            if self.last.run(["true"]).returncode:
                # No package brings this right, so it is no fault of a machine that has none.
                pytest.skip("no file system of its own for an image: only root can mount one, not in every container")
            for instruction in rest:
                getattr(self, f"_{instruction.name.lower()}")(instruction)

    def _run(self, instruction: Instruction) -> None:
        finished = self.last.run(["sh", "-c", f"cd {self.last.directory} && {instruction.text}"])
        assert finished.returncode == 0, finished.stdout + finished.stderr

    def _copy(self, instruction: Instruction) -> None:
        *sources, target = instruction.words
        folder = self._context
        if sources[0].startswith("--from="):
            folder = self._named[sources.pop(0).removeprefix("--from=")].folder / "upper"
        for source in sources:
            self.last.copy(folder / source.lstrip("/"), target)

    def _workdir(self, instruction: Instruction) -> None:
        self.last.directory = instruction.text
        self.last.path(".").mkdir(parents=True)

    def _env(self, instruction: Instruction) -> None:
        for name, _, value in (word.partition("=") for word in instruction.words):
            self.last.environ[name] = string.Template(value).substitute(self.last.environ)

    def _user(self, instruction: Instruction) -> None:
        self.last.user = instruction.text

    def _expose(self, instruction: Instruction) -> None:
        """Docker itself only notes the port."""

    def _healthcheck(self, instruction: Instruction) -> None:
        self.last.health = instruction.argv

    def _entrypoint(self, instruction: Instruction) -> None:
        self.last.command = instruction.argv

    def _cmd(self, instruction: Instruction) -> None:
        self.last.command += instruction.argv
