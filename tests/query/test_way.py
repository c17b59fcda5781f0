from eventscache.event import Event, Response
from eventscache.query.pending import Pending, Reached, pending
from eventscache.query.way import Step, Way, ways
from eventscache.stream import Namespace, Status, Stream
from eventscache.timestamp import parse_time

TOKEN, OTHER = Stream(Namespace.TOKEN, "key"), Stream(Namespace.TOKEN, "other")
DATABASE, HOOK = Stream(Namespace.DESTINATION, "db"), Stream(Namespace.DESTINATION, "hook")
NOON_US = parse_time("2026-01-01T12:00:00Z")


def step(stream: Stream, second: int, event_id: str = "x", sequence: int = 1, **fields: object) -> Step:
    original = b'{"event_id":"%s"}' % event_id.encode()
    timestamp = f"2026-01-01T12:00:{second:02}.000000Z"
    return Step.of(stream, sequence, Event(**{"original": original, "timestamp": timestamp, **fields}))  # type: ignore[arg-type]


def test_the_entries_of_an_event_are_joined_by_its_id_in_the_order_of_their_time() -> None:
    steps = [
        step(DATABASE, 21, sequence=2),
        step(HOOK, 2),
        step(DATABASE, 1, error="down", attempt=1, response=Response(503, "busy")),
        step(TOKEN, 0),
        step(TOKEN, 30, "y", 2),
    ]

    second, first = ways(steps)

    assert second == Way("y", [steps[4]], {})
    assert first.event_id == "x"
    assert first.received == [steps[3]]
    assert first.destinations == {"db": [steps[2], steps[0]], "hook": [steps[1]]}
    assert [each.status for each in first.destinations["db"]] == [Status.ERROR, Status.SUCCESS]
    assert first.received_us == NOON_US


def test_an_event_that_was_sent_twice_is_received_twice() -> None:
    (way,) = ways([step(OTHER, 5), step(TOKEN, 3), step(TOKEN, 4, sequence=2)])
    assert [(each.stream.id, each.sequence) for each in way.received] == [("key", 1), ("key", 2), ("other", 1)]


def test_an_entry_that_is_found_in_both_collections_is_one_step() -> None:
    (way,) = ways([step(DATABASE, 1, error="down"), step(DATABASE, 1, error="down")])
    assert len(way.destinations["db"]) == 1
    assert way.received == []
    assert way.received_us is None


def test_entries_without_an_id_are_ways_of_their_own() -> None:
    found = ways([step(TOKEN, 0, ""), step(TOKEN, 1, "", 2), step(DATABASE, 2, "")])
    assert [(way.event_id, len(way.received), len(way.destinations)) for way in found] == [
        ("", 0, 1),
        ("", 1, 0),
        ("", 1, 0),
    ]


def test_a_time_that_cannot_be_read_comes_last() -> None:
    odd = step(DATABASE, 0, timestamp="yesterday")
    (way,) = ways([odd, step(DATABASE, 9, sequence=2)])
    assert way.destinations["db"][-1] == odd
    assert odd.time_us is None


def test_long_texts_are_cut() -> None:
    long = step(DATABASE, 0, error="x" * 5000, skip="y" * 5000, response=Response(500, "z" * 5000))
    assert long.error == "x" * 1000 + " …"
    assert long.skip == "y" * 1000 + " …"
    assert long.response == Response(500, "z" * 1000 + " …")


def waiting(*steps: Step, ids: str = "xyz", **reached: Reached) -> list[Pending]:
    (way,) = ways(steps)
    return pending(way, {"key": set(ids)}, reached)


def test_destinations_that_other_events_of_the_token_reached_are_pending() -> None:
    received = step(TOKEN, 0)
    assert waiting(received, step(HOOK, 1), db=Reached({"y"}), hook=Reached({"y"}), strange=Reached({"s"})) == [
        Pending("db", NOON_US, may_be_gone=False)
    ]
    assert waiting(received, db=Reached({"x"})) == []
    assert waiting(received, ids="", db=Reached({"y"})) == []


def test_a_destination_whose_entries_are_all_younger_may_have_had_the_event() -> None:
    received = step(TOKEN, 0)
    assert waiting(received, db=Reached({"y"}, NOON_US + 1)) == [Pending("db", NOON_US, may_be_gone=True)]
    assert waiting(received, db=Reached({"y"}, NOON_US)) == [Pending("db", NOON_US, may_be_gone=False)]
    unknown = step(TOKEN, 0, timestamp="")
    assert waiting(unknown, db=Reached({"y"}, NOON_US)) == [Pending("db", None, may_be_gone=False)]


def test_what_was_not_received_or_not_to_be_delivered_is_not_pending() -> None:
    assert waiting(step(HOOK, 0), db=Reached({"y"})) == []
    assert waiting(step(TOKEN, 0, skip="no destination"), db=Reached({"y"})) == []
    assert waiting(step(TOKEN, 0, error="no transformation"), db=Reached({"y"})) == []
