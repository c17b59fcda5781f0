"""Jitsu's configuration file: YAML or JSON, whose numbers are those of Go's YAML reader."""

import json
import math
import re
from pathlib import Path
from typing import Any

import yaml

from eventscache.errors import ConfigError
from eventscache.logs import HIDDEN, visible

_NUMBERS = {
    "tag:yaml.org,2002:int": r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*)",
    "tag:yaml.org,2002:float": (
        r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    ),
}
_NOT_GO = {*_NUMBERS, "tag:yaml.org,2002:timestamp"}  # a time of day is no number there, and a date is a text
_MOST_DIGITS = 20
# What a YAML error quotes may be a secret, except for words and signs of YAML's own.
_QUOTED = re.compile(r"""(['"])((?:\\.|(?!\1).)*)\1""", re.DOTALL)
_OF_YAML = re.compile(r"<[a-z ]+>|\\?.", re.DOTALL)
_QUOTE_IT = "; a value that begins with * & ! % @ ` or a tab must be in quotes"


class _Loader(yaml.SafeLoader):
    """Reads plain values as Go's YAML reader does."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _NOT_GO]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in _NUMBERS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), list("-+.0123456789"))


def _number(loader: yaml.SafeLoader, node: yaml.Node) -> float:
    text = loader.construct_scalar(node).replace("_", "").lower()  # type: ignore[arg-type]
    digits = text.lstrip("+-")
    if digits.lstrip(".") in {"inf", "nan"}:
        return math.nan
    if not digits.startswith(("0x", "0b", "0o")) and (not digits.isdigit() or len(digits) > _MOST_DIGITS):
        return float(text)
    octal = len(digits) > 1 and digits[0] == "0" and digits.isdigit()
    if octal and not set(digits) <= set("01234567"):
        return float(text)
    return int(text, 8 if octal else 0)


for _tag in _NUMBERS:
    _Loader.add_constructor(_tag, _number)


def read_file(path: Path) -> dict[Any, Any]:
    """Return the sections of a file. Raises `ConfigError`, whose text names the file and holds no secret."""
    name = visible(str(path))
    try:
        content = _parse(path.read_bytes().decode("utf-8-sig"))
    except OSError as fault:
        raise ConfigError(f"{name}: cannot be read: {fault.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: not UTF-8") from None
    except yaml.MarkedYAMLError as fault:
        raise ConfigError(f"{name}: {_reason(fault)}") from None
    except yaml.reader.ReaderError as fault:
        character = f"U+{fault.character:04X}" if isinstance(fault.character, int) else "a character"
        raise ConfigError(f"{name}: not valid YAML: {character} is not allowed there") from None
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply") from None
    except (yaml.YAMLError, ValueError, OverflowError):
        raise ConfigError(f"{name}: not valid YAML: a value is not what its tag says, such as !!int") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{name}: not a mapping of sections")
    return content


def _parse(text: str) -> Any:
    if text.lstrip().startswith("{"):  # JSON may hold tabs, which are errors in YAML
        try:
            return json.loads(text)
        except ValueError:
            pass
    return yaml.load(text, _Loader)  # noqa: S506 - a safe loader


def _reason(fault: yaml.MarkedYAMLError) -> str:
    """Return where and what a fault of YAML is, in YAML's words but without what they quote of the file."""
    mark, began = fault.problem_mark or fault.context_mark, fault.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    problem = _without_values(fault.problem or fault.context or "")
    context = _without_values(fault.context or "")
    since = f" ({context}, which begins in line {began.line + 1})" if began and context and fault.problem else ""
    hint = _QUOTE_IT if re.search("alias|tag|anchor|cannot start any token|directive", f"{problem} {context}") else ""
    return f"{where}not valid YAML: {problem}{since}{hint}"


def _without_values(problem: str) -> str:
    def hide(match: re.Match[str]) -> str:
        return match[0] if _OF_YAML.fullmatch(match[2]) else HIDDEN

    return visible(_QUOTED.sub(hide, " ".join(problem.split())))
