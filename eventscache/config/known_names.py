"""Names of settings that mean nothing, and so cannot mean what their author thinks: they stop the start."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from eventscache.config.sections import look_up
from eventscache.config.settings import DEFINITIONS
from eventscache.errors import ConfigError

_KNOWN = {key for definition in DEFINITIONS.values() for key in definition.keys}
_VARIABLES = {variable for definition in DEFINITIONS.values() for variable in definition.variables}
_OTHER_VARIABLES = {"EVENTSCACHE_TOKEN"}  # of `eventscache bench` and `eventscache tail`
# Names of Jitsu's own in the two places where a setting about access may stand by mistake.
_JITSUS = {"api_keys", "server.api_keys", "server.auth", "server.s2s_auth", "server.admin_token"}
_ABOUT_ACCESS = re.compile("(?:admin|ingest|read)tokens?(?:file)?|apikeys?|s2sauths?|openingestion")
_ACCESS_WORDS = re.compile("TOKEN|KEY|SECRET|AUTH|INGESTION|MASK")


def check_sections(sections: Mapping[str, Any]) -> None:
    """Raise `ConfigError` for a key that has no meaning in the sections we read; all other sections are Jitsu's."""
    _check(sections.get("eventscache"), "eventscache")
    _check(look_up(sections, "server.cache"), "server.cache")


def check_names(content: Mapping[Any, Any], environ: Mapping[str, str]) -> None:
    """Raise `ConfigError` for a name that is meant to decide who may read or send, and that nobody reads.

    Such as `server.admin_tokens`, `admin_token` without a section, or the variable `EVENTSCACHE_ADMIN_TOKEN`.
    """
    names = {str(name).lower(): value for name, value in content.items()}
    server = names.get("server")
    inner = {f"server.{str(name).lower()}" for name in server} if isinstance(server, dict) else set()
    for name in sorted({*names, *inner}):
        letters = re.sub("[^a-z0-9]", "", name.removeprefix("server."))
        if _ABOUT_ACCESS.fullmatch(letters) and name not in _JITSUS:
            places = {key.rpartition(".")[2]: key for key in sorted(_JITSUS | _KNOWN, key=len, reverse=True)}
            meant = difflib.get_close_matches(name.rpartition(".")[2], places, 1)
            raise ConfigError(f"{name}: unknown setting{_suggestion([places[word] for word in meant])}")
    for variable in sorted(environ):
        ours = variable.startswith("EVENTSCACHE_") and environ[variable]
        if ours and _ACCESS_WORDS.search(variable) and variable not in _VARIABLES | _OTHER_VARIABLES:
            raise ConfigError(f"{variable}: unknown variable{_similar(variable, _VARIABLES)}")


def _check(section: Any, path: str) -> None:
    if path in _KNOWN or section is None:
        return
    if any(key.startswith(f"{path}.") for key in _KNOWN):
        if not isinstance(section, dict):
            raise ConfigError(f"{path}: must be a section")
        for name, value in section.items():
            _check(value, f"{path}.{name}")
        return
    raise ConfigError(f"{path}: unknown setting{_similar(path, _KNOWN)}")


def _similar(name: str, known: set[str]) -> str:
    return _suggestion(difflib.get_close_matches(name, sorted(known), 1))


def _suggestion(names: list[str]) -> str:
    return f"; did you mean {names[0]}?" if names else ""
