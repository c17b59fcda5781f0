from eventscache.event import Event
from eventscache.live.cursor import START, Position
from eventscache.live.messages import Cleared, Gap, Message, Signal
from eventscache.live.outbox import Outbox
from eventscache.live.stream_filter import StreamFilter
from eventscache.live.tail import Changes, LiveEvent
from eventscache.stream import Namespace, Status, Stream

A = Stream(Namespace.TOKEN, "a")


def outbox(position: Position = START, status: Status | None = None) -> Outbox:
    box = Outbox(StreamFilter(Namespace.TOKEN, status=status))
    box.positions.move(A, position)
    return box


def live_events(*sequences: int, skip: str = "") -> tuple[LiveEvent, ...]:
    return tuple(LiveEvent(A, sequence, Event(uid=str(sequence), skip=skip)) for sequence in sequences)


def messages(box: Outbox, changes: Changes) -> list[Message]:
    for entry in box.entries(A, changes):
        box.put(entry)
    popped = [box.pop() for _ in range(len(box))]
    return [message for message in popped if message]


def test_events_are_messages_and_move_the_position() -> None:
    box, events = outbox(), live_events(1, 2)
    assert messages(box, Changes(events)) == [*events]
    assert box.positions.get(A) == events[1].position


def test_an_event_that_was_sent_is_no_message_again() -> None:
    box, events = outbox(), live_events(1, 2, 3)
    messages(box, Changes(events[:2]))
    assert messages(box, Changes(events)) == [events[2]]


def test_an_event_that_the_filter_leaves_out_only_moves_the_position() -> None:
    box = outbox(status=Status.SKIP)
    (success,), (skipped,) = live_events(1), live_events(2, skip="a rule")
    assert messages(box, Changes((success,))) == []
    assert box.positions.get(A) == success.position
    assert messages(box, Changes((skipped,))) == [skipped]


def test_a_gap_counts_from_the_position_at_which_it_is_sent() -> None:
    box, events = outbox(Position(3)), live_events(8)
    changes = Changes(events, gap=True)
    assert messages(box, changes) == [Gap(A, 4), *events]
    assert messages(box, changes) == []


def test_a_stream_that_appears_after_ready_has_no_gap() -> None:
    changes = Changes(live_events(8), gap=True)
    before, after = outbox(), outbox()
    after.ready = True
    assert messages(before, changes)[0] == Gap(A, 7)
    assert messages(after, changes) == [*changes.events]


def test_numbers_that_begin_anew_are_a_gap_of_unknown_size_and_sent_from_the_first_on() -> None:
    box, events = outbox(Position(5)), live_events(1, 2)
    assert messages(box, Changes(events, restarted=True)) == [Gap(A, None), *events]


def test_numbers_that_come_again_after_the_stream_was_empty_are_found_without_the_poller() -> None:
    box, events = outbox(Position(5).emptied()), live_events(1, 2)
    assert messages(box, Changes(events[:1])) == [Gap(A, None), events[0]]
    assert messages(box, Changes(events[1:])) == [events[1]]


def test_clearing_comes_before_the_events_after_it() -> None:
    box, events = outbox(), live_events(6)
    assert messages(box, Changes(events, cleared=True)) == [Cleared(A), *events]


def test_a_stream_whose_position_was_forgotten_is_not_sent() -> None:
    box = Outbox(StreamFilter(Namespace.TOKEN))
    assert messages(box, Changes(live_events(1), gap=True)) == []


def test_the_size_is_that_of_what_waits() -> None:
    box = outbox()
    large = LiveEvent(A, 1, Event(malformed="x" * 10_000))
    box.put(large)
    box.put(Signal.KEEPALIVE)
    assert box.size_bytes > 10_000
    box.pop()
    assert 0 < box.size_bytes < 1000
    box.pop()
    assert (box.size_bytes, len(box)) == (0, 0)
