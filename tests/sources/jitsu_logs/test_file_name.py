"""What the names of Jitsu's log files say."""

import pytest

from eventscache.sources.jitsu_logs.file_name import Kind, LogName, parse_name

TWELVE_US = 1_795_867_200_250_000  # 2026-11-28T12:00:00.250Z


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("incoming.tok=shop_key.log", LogName(Kind.INCOMING, "shop_key")),
        ("failed.dst=prj7.pg_main.log", LogName(Kind.FAILED, "prj7.pg_main")),
        ("streaming-archive.dst=prj7.pg_main.log", LogName(Kind.ARCHIVE, "prj7.pg_main")),
        ("write-ahead-log.log", LogName(Kind.WRITE_AHEAD, "")),
        ("incoming.tok=a-2026-11-28T12-00-00.250.log", LogName(Kind.INCOMING, "a", TWELVE_US)),
        ("failed.dst=a-b-2026-11-28T12-00-00.250.log.gz", LogName(Kind.FAILED, "a-b", TWELVE_US, is_zipped=True)),
        ("write-ahead-log-2026-11-28T12-00-00.250.log", LogName(Kind.WRITE_AHEAD, "", TWELVE_US)),
        ("failed.dst=a.log.log", LogName(Kind.FAILED, "a.log")),
        ("failed.dst=a-2026-13-28T12-00-00.250.log", LogName(Kind.FAILED, "a-2026-13-28T12-00-00.250")),
    ],
)
def test_a_name_says_the_kind_the_id_and_whether_it_was_renamed(name: str, expected: LogName) -> None:
    assert parse_name(name) == expected


@pytest.mark.parametrize(
    "name",
    [
        "", ".log", ".log.gz", "notes.txt", "incoming.tok=.log", "failed.dst=a", "failed.dst=a.log.status",
        "failed.dst=a-2026-11-28T12-00-00.250.log.status", "write-ahead-log.log.status", "other.log", "events.log",
        "failed.dst=a.log.gz.tmp", "xfailed.dst=a.log", "incoming.tok=-2026-11-28T12-00-00.250.log",
    ],
)  # fmt: skip
def test_other_files_are_none_of_jitsus_logs(name: str) -> None:
    assert parse_name(name) is None
