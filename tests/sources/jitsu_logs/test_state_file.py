"""The file in which positions are kept."""

from pathlib import Path

import pytest

from eventscache.sources.jitsu_logs.state_file import DamagedStateError, StateFile


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_what_was_saved_is_loaded_by_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    state = StateFile(path)
    assert await state.load() == {}
    await state.save({b"a": b"1", b"b": b"2"})
    await state.save({b"a": b"", b"c": "ä".encode()})
    assert await StateFile(path).load() == {b"b": b"2", b"c": "ä".encode()}
    assert modes(tmp_path) == {"state.json": 0o600}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"version":1}', b'{"version":2,"positions":{}}'])
async def test_a_damaged_file_is_told_and_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    state = StateFile(path)
    with pytest.raises(DamagedStateError):
        await state.load()
    await state.save({b"a": b"1"})
    assert await StateFile(path).load() == {b"a": b"1"}


async def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "state.json"
    folder.mkdir()
    state = StateFile(folder)
    with pytest.raises(DamagedStateError):
        await state.load()
    with pytest.raises(OSError, match="directory"):
        await state.save({b"a": b"1"})
    assert [*modes(tmp_path)] == ["state.json"]
    with pytest.raises(FileNotFoundError):
        await StateFile(tmp_path / "missing" / "state.json").save({b"a": b"1"})
