"""One run of following: from the saved positions on, what is new is brought and the positions are saved."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Self

from eventscache.errors import StorageUnavailable
from eventscache.event import Event
from eventscache.sources.feed import Feed, Record
from eventscache.sources.follower import SourceUnavailable
from eventscache.sources.jitsu_logs.config import LogsConfig
from eventscache.sources.jitsu_logs.directory import LogDirectory, LogFile
from eventscache.sources.jitsu_logs.file_name import Kind
from eventscache.sources.jitsu_logs.line import LineParser
from eventscache.sources.jitsu_logs.newest_events import NewestEvents
from eventscache.sources.jitsu_logs.positions import Positions
from eventscache.sources.jitsu_logs.state_file import DamagedStateError, StateFile
from eventscache.sources.jitsu_logs.tail import Fault, Tail
from eventscache.stream import Stream

_MOST_HELD_BYTES = 16 * 1024 * 1024
_RETRY_SECONDS = 0.25
_LOOK_AGAIN_SECONDS = 0.25


class Following:
    """Brings what is new in the logs.

    All that blocks runs in a thread. In the first round each event is looked for in the cache before it is brought: the
    run before may have ended after it was brought and before the position was saved.
    """

    def __init__(self, tail: Tail, positions: Positions, feed: Feed, state: StateFile | None) -> None:
        self._tail = tail
        self._positions = positions
        self._feed = feed
        self._state = state
        self._newest = NewestEvents(feed.size)
        self._latest: dict[tuple[Kind, str], str] = defaultdict(str)
        self._may_be_held = True

    @classmethod
    async def begin(cls, config: LogsConfig, parser: LineParser, feed: Feed) -> Self:
        """Return a run that continues where the one before ended. Raises `StorageUnavailable`."""
        state = StateFile(config.state) if config.state else None
        saved: Mapping[bytes, bytes] = {}
        try:
            saved = await (state.load() if state else feed.checkpoints())
        except DamagedStateError as fault:
            feed.error("unreadable", "state file cannot be read, following from the start point", reason=str(fault))
        positions = Positions(config.start, feed.clock.unix_us(), saved)
        if positions.damaged:
            feed.error("unreadable", "saved positions are damaged", count=positions.damaged)
        directory = LogDirectory(config.directory, config.kinds)
        return cls(Tail(directory, positions, parser), positions, feed, state)

    async def bring_news(self) -> float | None:
        """Bring all that is new; return in how many seconds to look again, or None if that depends on changes.

        Raises `SourceUnavailable`, `StorageError` and `LeaseLost`.
        """
        self._latest.clear()
        for file in await self._look():
            await self._read(file)
        await self._flush()
        self._may_be_held = False
        self._feed.reached()
        self._feed.caught_up()
        return _LOOK_AGAIN_SECONDS if self._tail.must_look_again else None

    def _now_ns(self) -> int:
        return self._feed.clock.unix_us() * 1000

    async def _look(self) -> list[LogFile]:
        try:
            files, faults = await asyncio.to_thread(self._tail.look, self._now_ns())
        except OSError as fault:
            self._positions.note_listed()  # what turns up later is new
            await self._save()
            reason = fault.strerror or type(fault).__name__
            raise SourceUnavailable(f"the directory cannot be read: {reason}") from None
        self._report(faults)
        await self._save()
        return files

    async def _read(self, file: LogFile) -> None:
        pieces = self._tail.read(file, self._now_ns())
        log = file.name.kind, file.name.id
        while (news := await asyncio.to_thread(next, pieces, None)) is not None:
            self._report(news.faults)
            for stream, event, _ in news.events:
                self._latest[log] = latest = max(self._latest[log], event.timestamp)  # lines keep their order
                self._newest.add(stream, event, latest)
            if self._newest.size_bytes >= _MOST_HELD_BYTES:
                await self._flush()

    def _report(self, faults: Sequence[Fault]) -> None:
        for fault in faults:
            reason = {"reason": fault.reason} if fault.reason else {}
            self._feed.error(fault.kind, fault.message, count=fault.lines, file=fault.file, **reason)

    async def _flush(self) -> None:
        """Bring what was read, then save how far that was."""
        newest = self._newest.take()
        if newest.passed_over:
            self._feed.pass_over(newest.passed_over)
        await self._bring(newest.older_errors, errors_only=True)
        await self._bring(newest.events)
        await self._save()

    async def _bring(self, records: list[Record], *, errors_only: bool = False) -> None:
        may_be_held = self._may_be_held
        while records:
            try:
                if may_be_held:
                    records = await self._missing(records)
                await self._feed.bring(records, errors_only=errors_only)
            except StorageUnavailable:
                may_be_held = True
                await self._feed.clock.sleep(_RETRY_SECONDS)
            else:
                return

    async def _missing(self, records: Sequence[Record]) -> list[Record]:
        """Return those records that the cache does not hold, in their order."""
        by_stream: dict[Stream, list[Event]] = defaultdict(list)
        for stream, event in records:
            by_stream[stream].append(event)
        missing: set[int] = set()
        for stream, events in by_stream.items():
            missing |= {id(event) for event in await self._feed.missing(stream, events)}
        return [record for record in records if id(record[1]) in missing]

    async def _save(self) -> None:
        changes = self._positions.changes()
        if not changes:
            return
        if self._state is None:
            await self._feed.save(changes)
            return
        try:
            await self._state.save(changes)
        except OSError as fault:
            self._feed.error(
                "unavailable", "state file cannot be written", reason=fault.strerror or type(fault).__name__
            )
