"""Finds the Lua scripts and runs them."""

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError

_CHECKOUT = Path(__file__).parents[3] / "lua"


def read_script(name: str) -> str:
    """Return the text of `lua/<name>.lua`, from the installed package or from the checkout."""
    packaged = files("eventscache") / "lua" / f"{name}.lua"
    source = packaged if packaged.is_file() else _CHECKOUT / f"{name}.lua"
    return source.read_text(encoding="utf-8")


class Script:
    """One script, run by its digest, and loaded if the server does not know it (after a restart or a flush)."""

    def __init__(self, name: str) -> None:
        self._text = read_script(name)
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, client: Any, keys: list[str], args: list[Any]) -> Any:
        """Run it on a client or a pipelined connection, and return the raw reply."""
        try:
            return await client.evalsha(self._digest, len(keys), *keys, *args)
        except NoScriptError:
            # EVAL loads and runs in one step: nothing can flush the script in between.
            return await client.eval(self._text, len(keys), *keys, *args)

    def command(self, keys: list[str], args: list[Any]) -> tuple[Any, ...]:
        """Return the command that runs it; the reply is a `NoScriptError` if the server does not know the script."""
        return ("EVALSHA", self._digest, len(keys), *keys, *args)

    def enqueue(self, pipeline: Any, keys: list[str], args: list[Any]) -> None:
        """Add it to a pipeline."""
        pipeline.execute_command(*self.command(keys, args))  # the only way with the pipeline of a Cluster
