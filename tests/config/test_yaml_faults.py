"""What is wrong with a file that is no YAML: the place and the reason, and nothing of what it holds."""

from pathlib import Path

import pytest

from eventscache.config.yaml_file import read_file
from eventscache.errors import ConfigError

QUOTED = "must be in quotes"
FAULTS = {
    "server: {admin_token: *hidden}": ("line 1, column 23: not valid YAML: found undefined alias ***", QUOTED),
    "server: {admin_token: !hidden x}": ("could not determine a constructor for the tag ***", QUOTED),
    "a: &hidden 1\nb: &hidden 2": ("line 2, column 4", "found duplicate anchor ***", QUOTED),
    "a:\n\tb: hidden": ("line 2, column 1", r"found character '\t' that cannot start any token", QUOTED),
    "a: `hidden": ("found character '`' that cannot start any token", QUOTED),
    "a: @hidden": ("found character '@' that cannot start any token", QUOTED),
    "a: 'hidden\nb: 1": ("found unexpected end of stream", "which begins in line 1"),
    "a: hidden: c": ("line 1, column 10: not valid YAML: mapping values are not allowed here",),
    'a: "\\q hidden"': ("found unknown escape character 'q'",),
    "- hidden\na: 2": ("line 2, column 1", "expected <block end>, but found '?'"),
    "a: {hidden: 1": ("expected ',' or '}', but got '<stream end>'", "which begins in line 1"),
    "a: hidden\x01": ("U+0001 is not allowed there",),
    "--- hidden\n--- 2": ("but found another document",),
    "? [hidden]: 1": ("found unhashable key",),
    "a: !!int hidden": ("a value is not what its tag says",),
    "[" * 100_000: ("nested too deeply",),
    "- hidden": ("not a mapping of sections",),
}


@pytest.mark.parametrize(("text", "reasons"), FAULTS.items(), ids=range(len(FAULTS)))
def test_a_fault_is_told_with_its_place_and_without_values(tmp_path: Path, text: str, reasons: tuple[str, ...]) -> None:
    path = tmp_path / "eventnative.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as fault:
        read_file(path)
    message = str(fault.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    assert "hidden" not in message
    for reason in reasons:
        assert reason in message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"), ("2020-01-01", "2020-01-01"), ("2020-99-99", "2020-99-99"), ("0123", 83), ("0912", 912),
        ("1_000", 1000), ("0x1F", 31), ("-0b11", -3), ("0o17", 15), ("1e3", 1000), ("1.50", 1.5), ("s123", "s123"),
        ("9" * 5000, float("inf")), ("'5'", "5"), ("~", None), ("yes", True), ("1.2.3", "1.2.3"), ("-", [None]),
    ],
)  # fmt: skip
def test_plain_values_are_those_of_gos_reader(tmp_path: Path, text: str, value: object) -> None:
    (tmp_path / "a.yaml").write_text(f"a: {text}" if text != "-" else "a:\n  -")
    assert read_file(tmp_path / "a.yaml") == {"a": value}
