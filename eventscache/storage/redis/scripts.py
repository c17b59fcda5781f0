"""The Lua scripts: where they are found, and how one is called."""

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError

_CHECKOUT = Path(__file__).parents[3] / "lua"


def read_script(name: str) -> str:
    """Return the text of `lua/<name>.lua`, from the installed package or from the checkout it runs in."""
    packaged = files("eventscache") / "lua" / f"{name}.lua"
    source = packaged if packaged.is_file() else _CHECKOUT / f"{name}.lua"
    return source.read_text(encoding="utf-8")


class Script:
    """One script, called by its digest and loaded when the server does not know it (a restart, a flush)."""

    def __init__(self, name: str) -> None:
        self._text = read_script(name)
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, client: Any, keys: list[str], args: list[Any]) -> Any:
        """Run it, on a client or whatever has its two ways to run one, and return the raw reply."""
        try:
            return await client.evalsha(self._digest, len(keys), *keys, *args)
        except NoScriptError:
            # EVAL loads and runs in one step: nothing can flush the script in between.
            return await client.eval(self._text, len(keys), *keys, *args)

    def command(self, keys: list[str], args: list[Any]) -> tuple[Any, ...]:
        """Return the command that runs it; its reply is a `NoScriptError` where the server does not know it."""
        return ("EVALSHA", self._digest, len(keys), *keys, *args)

    def enqueue(self, pipeline: Any, keys: list[str], args: list[Any]) -> None:
        """Let a pipeline run it."""
        pipeline.execute_command(*self.command(keys, args))  # the only way that a Cluster's pipeline knows
