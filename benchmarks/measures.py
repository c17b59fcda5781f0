"""How each case is measured: the contenders alternate in one run, and their order is reversed every round."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import uvloop

from benchmarks.cases import CASES, Contest, Findings, Latency, Result
from benchmarks.events import page_views, segment_events
from benchmarks.load import CONNECTIONS, Clients, HttpLoad, Measured, Requests
from benchmarks.servers import Bench, Server, same_json
from tests.support.forms import FORM, form

STREAMS = 100
BATCH = 100
EVENT_BYTES = 1000
EVENT_SIZES = (750, 850, 950, 1100, 1350)  # of browsers' events: 1 KB on average
VISITORS = 2003
READ_EVENT_BYTES = 3000
READERS = 32
TOUCHERS = 4
BODIES = 37  # no divisor of the number of streams, so that each stream gets all bodies
SHARE_OF_CAPACITY = 0.3
FULL_BUSY = 0.9
UNKNOWN_TOKENS = 1000
NEW_TOKENS = 200_000  # none comes again within a second
BULK_LINES = 20_000
BULK_LINE_BYTES = 20 * 2**20 // BULK_LINES
PINGS_PER_SECOND = 500
PING_SECONDS = 1.0  # a file is taken in less
SETTLE_SECONDS = 2.0  # events limited locally are counted in the storage within a second

# Quotas that nothing reaches. A stream keeps as many events as its quota, so the shortest window that can be set.
ROOMY = {"SERVER_CACHE_EVENTS_SIZE": "1000", "SERVER_CACHE_EVENTS_TIME_WINDOW_SEC": "1"}
ROOMY_FOR_BATCHES = {**ROOMY, "SERVER_CACHE_EVENTS_SIZE": "8000"}


class MeasurePlan(NamedTuple):
    """How long everything is measured."""

    rounds: int
    seconds: float
    warm_up_seconds: float
    memory_seconds: float
    streams: int

    @property
    def shortened(self) -> str:
        """The differences from the full plan."""
        parts = []
        if self.memory_seconds != FULL.memory_seconds:
            parts.append(f"the memory is observed for {self.memory_seconds:g} s instead of {FULL.memory_seconds:g}")
        if self.streams != FULL.streams:
            parts.append(f"{self.streams:,} streams instead of {FULL.streams:,}")
        if self.rounds < FULL.rounds:
            parts.append(f"{self.rounds} rounds instead of {FULL.rounds}")
        return "; ".join(parts)


FULL = MeasurePlan(rounds=5, seconds=3.0, warm_up_seconds=0.5, memory_seconds=300.0, streams=100_000)
QUICK = MeasurePlan(rounds=5, seconds=0.5, warm_up_seconds=0.15, memory_seconds=12.0, streams=50_000)

Measure = Callable[[Bench, MeasurePlan], Findings]
Once = Callable[[], Awaitable[Measured]]
_ON_LOAD_CORE: tuple[Callable[[Measured], float], ...] = (
    lambda each: each.load_busy,
    lambda each: each.redis_busy,
)


def _tokens(path: str, count: int = STREAMS) -> list[str]:
    return [f"{path}?token={_key(number)}" for number in range(count)]


def _key(number: int) -> str:
    return f"key{number:06}"


def _event_paths(streams: int) -> list[str]:
    return _tokens("/api/v1/event", streams)


def single_events(streams: int = STREAMS) -> Requests:
    return Requests("POST", _event_paths(streams), page_views(BODIES, EVENT_BYTES))


def browsers() -> Clients:
    """Return single events of browsers: each has a connection and a head of its own, and events of several sizes."""
    return Clients([[*_from_pages("", client, 1)] for client in range(CONNECTIONS)])


def mirrored() -> Clients:
    """Return single events as a proxy copies them: each has another agent, address and page."""
    return Clients([[*_from_pages("/mirror", 0, VISITORS)]])


def _from_pages(prefix: str, client: int, visitors: int) -> Iterator[bytes]:
    """Yield requests as browsers send them; behind a proxy `visitors` share a connection."""
    events = [event for size in EVENT_SIZES for event in page_views(BODIES, size)]
    for number in range(max(visitors, STREAMS)):
        visitor, event = client + number % visitors, events[number % len(events)]
        forwarded = f"X-Real-IP: {_address(visitor)}\r\nX-Forwarded-For: {_address(visitor)}\r\n" if prefix else ""
        head = (
            f"POST {prefix}/api/v1/event?token={_key(number % STREAMS)} HTTP/1.1\r\nHost: events.example\r\n{forwarded}"
            f"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:{visitor % 140}.0) Gecko/20100101 Firefox/140.0\r\n"
            f"Accept: */*\r\nAccept-Language: en-GB,en;q=0.{visitor % 9}\r\nAccept-Encoding: gzip, deflate, br\r\n"
            f"Referer: https://shop.example/page/{visitor}\r\nContent-Type: application/json\r\n"
            f"Origin: https://shop.example\r\nCookie: session={visitor:032x}\r\nContent-Length: {len(event)}\r\n\r\n"
        )
        yield head.encode() + event


def _address(visitor: int) -> str:
    return f"10.{visitor >> 16 & 255}.{visitor >> 8 & 255}.{visitor & 255}"


def batches() -> Requests:
    return Requests("POST", _tokens("/api/v1/events"), _arrays(page_views(BODIES * BATCH, EVENT_BYTES), BATCH))


def touches(streams: int) -> Requests:
    """Return small records, one for each stream, in batches that name a hundred streams each."""
    records = [b'{"token_id":"%b","original":{}}' % _key(number).encode() for number in range(streams)]
    return Requests("POST", ["/api/v1/events/cache?ack=stored"], _arrays(records, BATCH))


def _arrays(values: Sequence[bytes], size: int) -> list[bytes]:
    return [b"[" + b",".join(values[place : place + size]) + b"]" for place in range(0, len(values), size)]


def acknowledged(batch: int = 1) -> Requests:
    """Return records with ack=stored; the naive sidecar always answers after it stored."""
    paths = [f"/api/v1/events/cache?namespace=token&id={_key(number)}&ack=stored" for number in range(STREAMS)]
    records = [b'{"original":%b}' % event for event in page_views(BODIES * batch, EVENT_BYTES)]
    return Requests("POST", paths, records if batch == 1 else _arrays(records, batch))


async def _alternate(rounds: int, contenders: Mapping[str, tuple[Server, Once]]) -> dict[str, list[Measured]]:
    """Measure the contenders in turn; each server is idle before the next one is measured."""
    measured: dict[str, list[Measured]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            server, once = contenders[name]
            measured[name].append(await once())
            await asyncio.to_thread(server.settle)
    return measured


def _capacities(
    plan: MeasurePlan, contenders: Mapping[str, tuple[Server, HttpLoad]], **options: int
) -> dict[str, list[Measured]]:
    """Measure the capacity of the contenders, with a closed loop."""

    def once(load: HttpLoad) -> Once:
        return lambda: load.closed(plan.seconds, plan.warm_up_seconds, **options)

    return uvloop.run(
        _alternate(plan.rounds, {name: (server, once(load)) for name, (server, load) in contenders.items()})
    )


def _fill(sidecar: Server) -> None:
    """Bring each stream to its quota, so that what follows is overload from its first request."""
    uvloop.run(HttpLoad(sidecar, batches()).each())


def _ratios(ones: Sequence[float], others: Sequence[float]) -> list[float]:
    if not all(others):
        raise SystemExit("nothing was done in a round: rounds must be longer")
    return [one / other for one, other in zip(ones, others, strict=True)]


def _processor_note(
    ours: Sequence[Measured],
    theirs: Sequence[Measured],
    cost: Callable[[Measured], float] = lambda each: each.server_us,
) -> str:
    """Return the ratio of processor time, which a slow load does not change, and how busy the cores were."""
    ratio = statistics.median(_ratios([cost(each) for each in theirs], [cost(each) for each in ours]))
    note = f"by processor time {ratio:.3g}"
    slack = min(statistics.median(each.server_busy for each in side) for side in (ours, theirs))
    if slack < FULL_BUSY:
        note += f"; a server was busy for {slack:.0%} of the time only"
    load, redis = (max(statistics.median(map(share, side)) for side in (ours, theirs)) for share in _ON_LOAD_CORE)
    full = ", which FILLS their core" if load + redis > FULL_BUSY else ""
    return f"{note}; load busy {load:.0%}, Redis {redis:.0%}{full}"


def _accepted_note(ours: Sequence[Measured], theirs: Sequence[Measured]) -> str:
    return f"of events accepted {statistics.median(_ratios(_rates(ours), _rates(theirs))):.3g}"


def _outcome_note(measured: Sequence[Measured]) -> str:
    """Return the shares of events that were stored, limited and dropped."""
    stored, limited, dropped = (
        sum(getattr(each.counts, name) for each in measured) for name in ("stored", "limited", "all_dropped")
    )
    total = max(1, stored + limited + dropped)
    note = f"{stored / total:.1%} stored, {limited / total:.1%} limited"
    failures = sum(each.failures for each in measured)
    lost = f", {dropped / total:.1%} DROPPED" if dropped else ""
    return note + lost + (f", {failures:,} requests FAILED" if failures else "")


def _result(name: str, values: Sequence[float], *notes: str) -> Result:
    return Result(CASES[name], values, "; ".join(note for note in notes if note))


def _rates(measured: Sequence[Measured]) -> list[float]:
    return [each.rate for each in measured]


def single_overload(bench: Bench, plan: MeasurePlan) -> Findings:
    with bench.serving("bare", "naive", "sidecar") as (bare, naive, sidecar):
        _fill(sidecar)
        measured = _capacities(
            plan,
            {
                "bare aiohttp": (bare, HttpLoad(bare, single_events())),
                "naive": (naive, HttpLoad(naive, single_events())),
                "eventscache": (sidecar, HttpLoad(sidecar, single_events())),
            },
        )
    rates = {name: _rates(each) for name, each in measured.items()}
    ours = measured["eventscache"]

    def result(name: str, other: str) -> Result:
        notes = _processor_note(ours, measured[other]), _outcome_note(ours)
        return _result(name, _ratios(rates["eventscache"], rates[other]), *notes)

    results = [result("single", "bare aiohttp"), result("single-naive", "naive")]
    return Findings(results, [Contest("single-event POST, overload", "events", rates)], [])


def clients(bench: Bench, plan: MeasurePlan) -> Findings:
    findings, _, _ = _against_bare(bench, plan, "clients", browsers)
    return findings


def mirror(bench: Bench, plan: MeasurePlan) -> Findings:
    findings, ours, theirs = _against_bare(bench, plan, "mirrored", mirrored)
    costs = [[each.server_us for each in side] for side in (ours, theirs)]
    shown = ", ".join(f"{statistics.median(cost):.1f} µs" for cost in costs)
    findings.results.append(_result("mirrored-cost", _ratios(*costs), f"{shown} a request"))
    return findings


def _against_bare(
    bench: Bench, plan: MeasurePlan, name: str, requests: Callable[[], Requests | Clients]
) -> tuple[Findings, list[Measured], list[Measured]]:
    """Measure a case of overload against bare aiohttp; return both sides, ours first, besides."""
    with bench.serving("bare", "sidecar") as (bare, sidecar):
        _fill(sidecar)
        measured = _capacities(
            plan,
            {
                "bare aiohttp": (bare, HttpLoad(bare, requests())),
                "eventscache": (sidecar, HttpLoad(sidecar, requests())),
            },
        )
    ours, theirs = measured["eventscache"], measured["bare aiohttp"]
    rates = {side: _rates(each) for side, each in measured.items()}
    values = _ratios(rates["eventscache"], rates["bare aiohttp"])
    result = _result(name, values, _processor_note(ours, theirs), _outcome_note(ours))
    return Findings([result], [Contest(f"{CASES[name].name} ({name})", "events", rates)], []), ours, theirs


def single_stored(bench: Bench, plan: MeasurePlan) -> Findings:
    return _stored(bench, plan, "single-stored", single_events)


def clients_stored(bench: Bench, plan: MeasurePlan) -> Findings:
    return _stored(bench, plan, "clients-stored", browsers)


def _stored(bench: Bench, plan: MeasurePlan, name: str, requests: Callable[[], Requests | Clients]) -> Findings:
    with bench.serving("bare", "sidecar", **ROOMY) as (bare, sidecar):
        measured = _capacities(
            plan,
            {
                "bare aiohttp": (bare, HttpLoad(bare, requests())),
                "eventscache": (sidecar, HttpLoad(sidecar, requests())),
            },
        )
    ours, theirs = measured["eventscache"], measured["bare aiohttp"]
    rates = {"bare aiohttp": _rates(theirs), "eventscache": [each.stored_rate for each in ours]}
    values = _ratios(rates["eventscache"], rates["bare aiohttp"])
    result = _result(name, values, _processor_note(ours, theirs), _outcome_note(ours))
    return Findings([result], [Contest(f"{CASES[name].name} ({name})", "events", rates)], [])


def batch_overload(bench: Bench, plan: MeasurePlan) -> Findings:
    with bench.serving("bare", "sidecar") as (bare, sidecar):
        _fill(sidecar)
        measured = _capacities(
            plan,
            {
                "bare aiohttp": (bare, HttpLoad(bare, batches())),
                "eventscache": (sidecar, HttpLoad(sidecar, batches())),
            },
        )
    ours, theirs = measured["eventscache"], measured["bare aiohttp"]
    rates = {name: [BATCH * rate for rate in _rates(each)] for name, each in measured.items()}
    values = _ratios(rates["eventscache"], rates["bare aiohttp"])
    result = _result("batch", values, _processor_note(ours, theirs), _outcome_note(ours))
    return Findings([result], [Contest("batch of 100, overload", "events", rates)], [])


def _both_keys(path: str) -> list[str]:
    """Return paths with the token where Jitsu looks for it, and where Jitsu 2 does."""
    return [f"{path}?token={_key(number)}&writekey={_key(number)}" for number in range(STREAMS)]


def segment(bench: Bench, plan: MeasurePlan) -> Findings:
    """Send the same batches on three routes of one server; blanks make the native body as long as the others."""
    arrays = _arrays(segment_events(BODIES * BATCH, EVENT_BYTES), BATCH)
    wrapped = [b'{"batch":%b}' % array for array in arrays]
    routes = {
        "/api/v1/s2s/events": [array.ljust(len(wrapped[0])) for array in arrays],
        "/api/v1/segment/v1/batch": wrapped,
        "/v1/batch": wrapped,
    }
    with bench.serving("sidecar") as (sidecar,):
        _fill(sidecar)
        loads = {path: HttpLoad(sidecar, Requests("POST", _both_keys(path), bodies)) for path, bodies in routes.items()}
        measured = _capacities(plan, {path: (sidecar, load) for path, load in loads.items()})
    native, *others = measured
    rates = {path: [BATCH * rate for rate in _rates(each)] for path, each in measured.items()}
    costs = {path: [each.server_us for each in rounds] for path, rounds in measured.items()}
    results = [
        _result(name, _ratios(costs[path], costs[native]), f"{statistics.median(costs[path]):.0f} µs a batch")
        for name, path in zip(("segment", "segment-jitsu2"), others, strict=True)
    ]
    return Findings(results, [Contest("batch of 100 by route, overload", "events", rates)], [])


def bulk(bench: Bench, plan: MeasurePlan) -> Findings:
    """Send files, and ask meanwhile whether the server answers: the longest answer is how long its loop was held."""
    file = form(b"\n".join(segment_events(BULK_LINES, BULK_LINE_BYTES - 1)))
    held, peaks = [], []
    with bench.serving("sidecar") as (sidecar,):
        _fill(sidecar)
        before = sidecar.resident_bytes
        for _ in range(plan.rounds):
            sidecar.reset_peak()
            held.append(1000 * uvloop.run(_longest_ping(sidecar, file)))
            peaks.append((sidecar.peak_bytes - before) / 2**20)
            sidecar.settle()
    sizes = f"{len(file) / 2**20:.1f} MiB a file; {PINGS_PER_SECOND} GETs a second"
    return Findings([_result("bulk", held, sizes), _result("bulk-memory", peaks)], [], [])


async def _longest_ping(server: Server, file: bytes) -> float:
    """Return the longest time in seconds that an answer took while a file was sent."""
    pings = HttpLoad(server, Requests("GET", ["/livez"])).at_rate(PINGS_PER_SECOND, PING_SECONDS, 0)
    sent = asyncio.to_thread(server.ask, "POST", f"/api/v1/events/bulk?token={_key(0)}", file, FORM)
    measured, _ = await asyncio.gather(pings, sent)
    return measured.latency(1.0)


def batch_stored(bench: Bench, plan: MeasurePlan) -> Findings:
    """Both answer after storing: if they answered at once, a closed loop would send more than a storage can take."""
    with bench.serving("naive", "sidecar", **ROOMY_FOR_BATCHES) as (naive, sidecar):
        measured = _capacities(
            plan,
            {
                "naive": (naive, HttpLoad(naive, acknowledged(BATCH))),
                "eventscache": (sidecar, HttpLoad(sidecar, acknowledged(BATCH))),
            },
        )
    ours, theirs = measured["eventscache"], measured["naive"]
    rates = {
        "naive": [each.stored_rate for each in theirs],
        "eventscache": [each.stored_rate for each in ours],
    }
    values = _ratios(rates["eventscache"], rates["naive"])
    processor = _processor_note(ours, theirs, lambda each: each.server_us_per_stored)
    result = _result("batch-stored", values, processor, _outcome_note(ours))
    return Findings([result], [Contest("batch of 100, everything stored", "events", rates)], [])


def get(bench: Bench, plan: MeasurePlan) -> Findings:
    path = f"/api/v1/events/cache?namespace=token&ids={_key(0)}"
    events = page_views(BATCH, READ_EVENT_BYTES)
    filling = b"[" + b",".join(b'{"original":%b}' % event for event in events) + b"]"
    with bench.serving("reencode", "sidecar") as (reencode, sidecar):
        sidecar.ask("POST", f"/api/v1/events/cache?namespace=token&id={_key(0)}&ack=stored", filling)
        spliced, encoded = sidecar.ask("GET", path), reencode.ask("GET", path)
        if spliced == encoded or not same_json(spliced, encoded):
            raise SystemExit("the two must give the same response in different bytes")
        measured = _capacities(
            plan,
            {
                "parse and re-encode": (reencode, HttpLoad(reencode, Requests("GET", [path]))),
                "eventscache": (sidecar, HttpLoad(sidecar, Requests("GET", [path]))),
            },
            connections=READERS,
        )
    ours, theirs = measured["eventscache"], measured["parse and re-encode"]
    rates = {name: _rates(each) for name, each in measured.items()}
    values = _ratios(rates["eventscache"], rates["parse and re-encode"])
    result = _result("get", values, _processor_note(ours, theirs))
    return Findings([result], [Contest("GET of 100 events of 3 KB", "answers", rates)], [])


def calls(bench: Bench, plan: MeasurePlan) -> Findings:
    shares = []
    with bench.serving("sidecar") as (sidecar,):
        for _ in range(plan.rounds):
            before, received = bench.script_calls(), sidecar.counts().received
            uvloop.run(HttpLoad(sidecar, single_events(streams=1)).closed(plan.seconds, plan.warm_up_seconds))
            sidecar.settle()
            shares.append(100 * (bench.script_calls() - before) / (sidecar.counts().received - received))
    return Findings([_result("calls", shares, "all script calls, trimming among them")], [], [])


def ack(bench: Bench, plan: MeasurePlan) -> Findings:
    with bench.serving("naive", "sidecar", **ROOMY) as (naive, sidecar):
        capacity = uvloop.run(HttpLoad(naive, acknowledged()).closed(plan.seconds, plan.warm_up_seconds)).rate
        rate = SHARE_OF_CAPACITY * capacity

        def once(server: Server) -> tuple[Server, Once]:
            load = HttpLoad(server, acknowledged())
            return server, lambda: load.at_rate(rate, plan.seconds, plan.warm_up_seconds)

        measured = uvloop.run(_alternate(plan.rounds, {"naive": once(naive), "eventscache": once(sidecar)}))
    halves = {name: [each.latency(0.5) for each in rounds] for name, rounds in measured.items()}
    shown = ", ".join(f"{name} {statistics.median(times) * 1000:.2f} ms" for name, times in halves.items())
    note = f"{rate:,.0f} requests a second; p50 {shown}"
    result = _result(
        "ack", _ratios(halves["eventscache"], halves["naive"]), note, _outcome_note(measured["eventscache"])
    )
    seconds = {name: sorted(time for each in rounds for time in each.latencies) for name, rounds in measured.items()}
    return Findings([result], [], [Latency(f"ack=stored at {rate:,.0f} requests a second", seconds)])


def streams(bench: Bench, plan: MeasurePlan) -> Findings:
    """Write to all streams once, then overload them: stored and limited events count, as others wait or are dropped.

    The quota is one event a minute: at 100, the streams could not be offered more than they may store.
    """
    settings = {
        "EVENTSCACHE_MAX_STREAMS": str(2 * plan.streams),
        "EVENTSCACHE_MAX_NEW_STREAMS_PER_MINUTE": str(2 * plan.streams),
        "SERVER_CACHE_EVENTS_SIZE": "1",
    }
    with bench.serving("sidecar", "sidecar", **settings) as (one, many):
        uvloop.run(HttpLoad(many, single_events(streams=1)).closed(plan.seconds, plan.warm_up_seconds))
        fresh = many.resident_bytes
        uvloop.run(_touch(many, plan.streams))
        touched = many.resident_bytes
        contenders = {
            "1 stream": (one, HttpLoad(one, single_events(streams=1))),
            f"{plan.streams:,} streams": (many, HttpLoad(many, single_events(plan.streams))),
        }
        measured = _capacities(plan, contenders)
        uvloop.run(_idle(many))
        overloaded = many.resident_bytes
    rates = {name: [each.decided_rate for each in side] for name, side in measured.items()}
    theirs, ours = measured.values()
    one_rates, many_rates = rates.values()
    shortened = "" if plan.streams == FULL.streams else f"SHORTENED to {plan.streams:,} streams"
    results = [
        _result(
            "streams",
            _ratios(many_rates, one_rates),
            shortened,
            _accepted_note(ours, theirs),
            _processor_note(ours, theirs),
            _outcome_note(ours),
        ),
        _result(
            "stream-memory",
            [(overloaded - fresh) / plan.streams],
            shortened,
            f"after the overload; {(touched - fresh) / plan.streams:,.0f} after one event each",
        ),
    ]
    return Findings(results, [Contest("many streams under overload", "events", rates)], [])


async def _touch(server: Server, count: int) -> None:
    await HttpLoad(server, touches(count)).each(TOUCHERS)
    await _idle(server)


async def _idle(server: Server) -> None:
    await asyncio.sleep(SETTLE_SECONDS)
    await asyncio.to_thread(server.settle)


def refused(bench: Bench, plan: MeasurePlan) -> Findings:
    """Fill a server with streams, and send events of others, which may not begin.

    The costs count until no event waits any more: a closed loop sends faster than the storage can be asked.
    """
    settings = {"EVENTSCACHE_MAX_STREAMS": str(STREAMS), "EVENTSCACHE_QUEUE_BYTES": str(2**30)}
    costs: dict[str, list[float]] = {}
    with bench.serving("sidecar", **settings) as (sidecar,):
        _fill(sidecar)
        bodies = page_views(BODIES, EVENT_BYTES)
        loads = {"limited": single_events()} | {
            name: Requests("POST", [f"{path}x" for path in _event_paths(count)], bodies)
            for name, count in (("refused", UNKNOWN_TOKENS), ("refused-new", NEW_TOKENS))
        }
        for _ in range(plan.rounds):
            for name, requests in loads.items():
                before, received = sidecar.cpu_seconds, sidecar.counts().received
                uvloop.run(HttpLoad(sidecar, requests).closed(plan.seconds, plan.warm_up_seconds))
                sidecar.settle()
                spent = sidecar.cpu_seconds - before
                costs.setdefault(name, []).append(1e6 * spent / (sidecar.counts().received - received))
    limited = costs.pop("limited")
    results = [
        _result(name, _ratios(ours, limited), f"{statistics.median(ours):.1f} µs an event")
        for name, ours in costs.items()
    ]
    return Findings(results, [], [])


def memory(bench: Bench, plan: MeasurePlan) -> Findings:
    with bench.serving("sidecar") as (sidecar,):
        _fill(sidecar)
        load = HttpLoad(sidecar, single_events())
        uvloop.run(load.closed(plan.memory_seconds / 5, 0))
        early = sidecar.resident_bytes
        uvloop.run(load.closed(plan.memory_seconds * 4 / 5, 0))
        late = sidecar.resident_bytes
    sizes = f"{early / 2**20:.1f} MiB, then {late / 2**20:.1f} MiB"
    shortened = "" if plan.memory_seconds == FULL.memory_seconds else f"SHORTENED to {plan.memory_seconds:g} s"
    return Findings([_result("memory", [late / early], sizes, shortened)], [], [])


MEASURES: Mapping[str, Measure] = {
    "single": single_overload,
    "clients": clients,
    "mirrored": mirror,
    "single-stored": single_stored,
    "clients-stored": clients_stored,
    "batch": batch_overload,
    "batch-stored": batch_stored,
    "segment": segment,
    "bulk": bulk,
    "get": get,
    "calls": calls,
    "ack": ack,
    "streams": streams,
    "refused": refused,
    "memory": memory,
}
