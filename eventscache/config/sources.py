"""Where settings come from: the command line, the environment, the file."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from eventscache.config.placeholders import fill_placeholders
from eventscache.config.sections import look_up
from eventscache.config.values import redact_value
from eventscache.errors import ConfigError


class Found(NamedTuple):
    """A value as it was found, its source, and the key, variable or option that errors name."""

    value: Any
    source: str
    key: str

    def error(self, fault: Exception, *, secret: bool) -> ConfigError:
        """Return the error that names the key for a fault of the value; it does not show a `secret` one."""
        return ConfigError(f"{self.key}: {redact_value(fault) if secret else fault} (from {self.source})")


def variable_of(key: str) -> str:
    """Return the environment variable of a dotted key, as in Jitsu."""
    return key.upper().replace(".", "_")


class Sources(NamedTuple):
    """All sources; an empty value in one of them is none."""

    options: Mapping[str, Any]
    environ: Mapping[str, str]
    sections: Mapping[str, Any]

    def option(self, name: str) -> Found | None:
        """Return an option of the command line."""
        value = self.options.get(name)
        return None if value is None else Found(value, "command line", f"--{name}")

    def find(self, *keys: str, other_variables: tuple[str, ...] = ()) -> Found | None:
        """Return the value of the first of some keys that has one, in the environment, else in the file.

        `other_variables` of the environment come after those of the keys.
        """
        return self._in_environment(keys, other_variables) or next(filter(None, map(self.in_file, keys)), None)

    def _in_environment(self, keys: tuple[str, ...], other_variables: tuple[str, ...]) -> Found | None:
        for variable in (*map(variable_of, keys), *other_variables):
            if self.environ.get(variable):
                return Found(self.environ[variable], f"environment {variable}", variable)
        return None

    def in_file(self, key: str) -> Found | None:
        """Return the value of a key of the file, with its placeholders filled. Raises `ConfigError`."""
        try:
            value = fill_placeholders(look_up(self.sections, key), key, self.environ)
        except RecursionError:
            raise ConfigError(f"{key}: nested too deeply") from None
        return None if value is None or value == "" else Found(value, f"file {key}", key)
