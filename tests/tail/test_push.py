"""Connections that break off: what is asked for again, what is shown, and how long it waits."""

import pytest

from eventscache.tail import server
from eventscache.tail.faults import ConnectionLost, Rejected
from tests.support.push_server import PushServer
from tests.support.tailing import Tailing, tailed

Capsys = pytest.CaptureFixture[str]
READY = b"event: ready\ndata: {}\n\n"


def event(number: int, cursor: str) -> bytes:
    time = f"2026-11-23T21:{number:02}:00Z"
    return f'event: event\nid: {cursor}\ndata: {{"original":{{"n":{number}}},"timestamp":"{time}"}}\n\n'.encode()


async def test_a_break_within_the_history_repeats_and_loses_nothing(capsys: Capsys) -> None:
    scripts = [
        [event(5, "a"), event(1, "b"), event(3, "c")[:-9]],
        [event(3, "c"), event(2, "d"), READY],
        [event(6, "e"), READY, event(7, "f")],
    ]
    async with PushServer(*scripts) as pushes, Tailing(pushes.url, capsys, follows=True) as tailing:
        await tailing.clock.end_sleep()
        await tailing.has(4)
        assert tailing.numbers == [1, 2, 3, 5]
        await tailing.clock.end_sleep()
        await tailing.has(6)
        assert tailing.numbers == [1, 2, 3, 5, 6, 7]
        assert pushes.last_ids == ["", "b", "d"]
        assert tailing.notices == ["lost", "back", "lost", "back"]


async def test_what_is_left_out_is_told_once(capsys: Capsys) -> None:
    scripts = [[event(1, "a"), READY], [READY, event(2, "b")]]
    async with (
        PushServer(*scripts) as pushes,
        Tailing(pushes.url, capsys, follows=True, history=1, tells_left_out=True) as tailing,
    ):
        await tailing.has(1)
        await tailing.clock.end_sleep()
        await tailing.has(2)
        assert tailing.notices == ["left_out", "lost", "back"]


async def test_pauses_grow_and_begin_anew_after_a_success(capsys: Capsys) -> None:
    away = [b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"]
    scripts = [[READY], *[away] * 5, [READY], [READY]]
    async with PushServer(*scripts) as pushes, Tailing(pushes.url, capsys, follows=True) as tailing:
        pauses = []
        for number in range(7):
            await tailing.says("trying again", number + 1)
            before = tailing.clock.time
            await tailing.clock.end_sleep()
            pauses.append(tailing.clock.time - before)
    for pause, expected in zip(pauses, [1, 2, 4, 8, 15, 15, 1], strict=True):
        assert 0.9 * expected <= pause <= 1.1 * expected


async def test_comments_and_unknown_messages_are_ignored(capsys: Capsys) -> None:
    script = [
        b": \n\n", b"event: invented\ndata: x\n\n", READY, b"event: counters\ndata: [\n\n", b": \n\n", event(1, "a"),
    ]  # fmt: skip
    async with PushServer(script) as pushes, Tailing(pushes.url, capsys, follows=True) as tailing:
        await tailing.has(1)
        assert tailing.said == ""


async def test_a_connection_that_falls_silent_counts_as_lost(capsys: Capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SILENCE_SECONDS", 0.2)
    async with PushServer([READY]) as pushes, Tailing(pushes.url, capsys, follows=True) as tailing:
        await tailing.says("nothing came for 0 s")


@pytest.mark.parametrize("script", [[event(1, "a")], [event(1, "a")[:-5]], []])
async def test_without_follow_a_lost_connection_is_an_error(capsys: Capsys, script: list[bytes]) -> None:
    async with PushServer(script, []) as pushes:
        with pytest.raises(ConnectionLost, match="the server ended the connection"):
            await tailed(pushes.url, capsys)


async def test_an_answer_that_shows_the_token_is_shown_without_it(capsys: Capsys) -> None:
    body = b'{"message":"no right for the-secret","code":"forbidden"}'
    answer = b"HTTP/1.1 403 No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(body), body)
    async with PushServer([answer], []) as pushes:
        with pytest.raises(Rejected, match=r"answers 403: no right for \*\*\*"):
            await tailed(pushes.url, capsys, token="the-secret")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_parameter", Rejected),
        (404, "not_found", Rejected),
        (429, "too_many_failed_logins", Rejected),
        (429, "too_many_subscribers", ConnectionLost),
        (503, "storage_unavailable", ConnectionLost),
    ],
)
async def test_what_would_be_answered_alike_ends_it_and_all_else_is_tried_again(
    capsys: Capsys, status: int, code: str, kind: type[Exception]
) -> None:
    body = b'{"message":"words","code":"%b"}' % code.encode()
    answer = b"HTTP/1.1 %d x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, len(body), body)
    async with PushServer([READY], [answer], []) as pushes, Tailing(pushes.url, capsys, follows=True) as tailing:
        await tailing.clock.end_sleep()
        if kind is ConnectionLost:
            await tailing.says(f"answers {status}: words); trying again")
        else:
            with pytest.raises(Rejected, match=f"answers {status}: words"):
                await tailing.end()
    async with PushServer([answer], []) as pushes:
        with pytest.raises(kind, match=f"answers {status}: words"):
            await tailed(pushes.url, capsys)


async def test_the_token_travels_in_a_header_only(capsys: Capsys) -> None:
    async with PushServer([READY], []) as pushes:
        await tailed(pushes.url, capsys, token="the-secret")
    (request,) = pushes.requests
    assert b"Authorization: Bearer the-secret\r\n" in request
    assert request.count(b"the-secret") == 1
    assert b"Accept-Encoding: identity\r\n" in request
