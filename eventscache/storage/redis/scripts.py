"""The Lua scripts: reads them from their files and runs them on Redis."""

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError

_CHECKOUT = Path(__file__).parents[3] / "lua"


def read_script(name: str) -> str:
    """Return the text of `lua/<name>.lua`: from the installed package, or from the checkout if that has none."""
    packaged = files("eventscache") / "lua" / f"{name}.lua"
    source = packaged if packaged.is_file() else _CHECKOUT / f"{name}.lua"
    return source.read_text(encoding="utf-8")


class Script:
    """One script, called by its digest; loaded if the server does not have it, as after a restart or a flush."""

    def __init__(self, name: str) -> None:
        self._text = read_script(name)
        self._digest = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, client: Any, keys: list[str], args: list[Any]) -> Any:
        """Run the script and return the raw reply; the client is anything with `evalsha` and `eval`."""
        try:
            return await client.evalsha(self._digest, len(keys), *keys, *args)
        except NoScriptError:
            # EVAL loads and runs it in one step, so that no flush can come in between.
            return await client.eval(self._text, len(keys), *keys, *args)

    def command(self, keys: list[str], args: list[Any]) -> tuple[Any, ...]:
        """Return the command that runs the script; its reply is a `NoScriptError` if the server does not have it."""
        return ("EVALSHA", self._digest, len(keys), *keys, *args)

    def enqueue(self, pipeline: Any, keys: list[str], args: list[Any]) -> None:
        """Add the script to a pipeline."""
        pipeline.execute_command(*self.command(keys, args))  # a Cluster's pipeline has no other way
