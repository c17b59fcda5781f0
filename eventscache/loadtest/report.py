"""The report of a load test, as text and as JSON."""

from typing import Any

import msgspec

from eventscache import __version__
from eventscache.loadtest.generator import LoadGenerator
from eventscache.loadtest.ledger import LedgerCheck
from eventscache.loadtest.plan import LoadPlan
from eventscache.stream import Namespace


class Report:
    """The counts of the load and of the ledger; `check` is None if the server could not be scraped at the end."""

    def __init__(self, plan: LoadPlan, url: str, generator: LoadGenerator, check: LedgerCheck | None) -> None:
        self._plan = plan
        self._url = url
        self._counts = generator.counts
        self._seconds = generator.seconds
        self._note = generator.note
        self._check = check

    @property
    def good(self) -> bool:
        """Whether the ledger adds up, or need not because others send too."""
        return self._check is not None and (self._plan.shared or not self._check.faults)

    def to_json(self) -> bytes:
        """Return an indented JSON object."""
        return msgspec.json.format(msgspec.json.encode(self._to_dict()), indent=2) + b"\n"

    def _to_dict(self) -> dict[str, Any]:
        plan, requests, seconds = self._plan, self._counts, self._seconds
        return {
            "version": __version__,
            "url": self._url,
            "plan": {
                "loop": "open" if plan.rate else "closed",
                "rate": plan.rate,
                "connections": plan.connections,
                "namespace": str(plan.namespace),
                "streams": len(plan.streams),
                "batch": plan.batch,
                "event_bytes": None if plan.file else plan.event_bytes,
                "file": str(plan.file) if plan.file else None,
                "errors": plan.errors,
                "malformed": plan.malformed,
                "ack": _ack(plan),
                "duration_seconds": plan.seconds,
                "requests": plan.requests,
                "seed": plan.seed,
            },
            "seconds": round(seconds, 6),
            "requests": {
                "sent": requests.sent,
                "answered": requests.answered,
                "statuses": {str(status): requests.statuses[status] for status in sorted(requests.statuses)},
                "unanswered": dict(requests.unanswered),
                "unsent": requests.unsent,
                "malformed": requests.malformed,
                "failed_connects": requests.unconnected,
                "per_second": round(requests.answered / seconds, 3),
            },
            "events": {
                "sent": requests.events,
                "errors": requests.errors,
                "per_second": round(requests.events / seconds, 3),
            },
            "latency_ms": requests.latency.summary(),
            "ledger": self._ledger(),
            "note": self._note,
        }

    def _ledger(self) -> dict[str, Any] | None:
        check = self._check
        if check is None:
            return None
        counts = check.counts
        return {
            "offered": {"least": check.least, "most": check.most},
            "received": counts.received,
            "stored": counts.stored,
            "limited": counts.limited,
            "dropped": counts.all_dropped,
            "dropped_by_reason": counts.dropped,
            "rejected": counts.rejected,
            "queued": check.queued,
            "faults": check.faults,
            "shared": self._plan.shared,
            "good": self.good,
        }

    def to_text(self) -> str:
        """Return lines of text for a terminal."""
        rows = [("load", self._load_text()), ("requests", self._requests_text()), ("answers", self._answers_text())]
        since = "when each was due" if self._plan.rate else "sending"
        latency = "   ".join(f"{name} {value:,.3f} ms" for name, value in self._counts.latency.summary().items())
        rows += [("latency", f"{latency}   (from {since})"), *(("ledger", text) for text in self._ledger_texts())]
        if self._note:
            rows.append(("note", self._note))
        lines, last = [self._url], ""
        for name, text in rows:
            lines.append(f"{'' if name == last else name:<10}{text}")
            last = name
        return "\n".join(lines) + "\n"

    def _load_text(self) -> str:
        plan = self._plan
        loop = f"open loop, {plan.rate:,g} requests/s" if plan.rate else "closed loop"
        size = f"of {plan.file}" if plan.file else f"of {plan.event_bytes:,} bytes"
        events = f"{plan.batch:,} {'event' if plan.batch == 1 else 'events'} {size} a request"
        ack = f", ack={_ack(plan)}" if _ack(plan) else ""
        return f"{loop}, {plan.connections} connections, {len(plan.streams):,} streams, {events}, {plan.namespace}{ack}"

    def _requests_text(self) -> str:
        requests, seconds = self._counts, self._seconds
        return (
            f"{requests.sent:,} in {seconds:.2f} s: {requests.answered / seconds:,.0f} answers/s, "
            f"{requests.events / seconds:,.0f} events/s; {requests.errors:,} errors, {requests.malformed:,} malformed"
        )

    def _answers_text(self) -> str:
        requests = self._counts
        parts = [f"{requests.statuses[status]:,} with {status}" for status in sorted(requests.statuses)]
        parts += [f"{count:,} without any ({reason})" for reason, count in requests.unanswered.items()]
        if requests.unsent:
            parts.append(f"{requests.unsent:,} were due and could not be sent")
        if requests.unconnected:
            parts.append(f"{requests.unconnected:,} connections failed")
        return ", ".join(parts) or "none"

    def _ledger_texts(self) -> list[str]:
        check = self._check
        if check is None:
            return ["unknown: the metrics could not be read any more"]
        counts = check.counts
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.dropped.items())
        dropped = f"{counts.all_dropped:,} dropped{f' ({reasons})' if reasons else ''}"
        sides = (
            f"{counts.received:,} received = {counts.stored:,} stored + {counts.limited:,} limited + "
            f"{dropped} + {counts.rejected:,} rejected"
        )
        if not check.faults:
            unknown = check.most - check.least
            return [sides, f"it adds up{f', with {unknown:,} events in requests without an answer' if unknown else ''}"]
        word = "note, as others send too" if self._plan.shared else "DIFFERS"
        return [sides, *(f"{word}: {fault}" for fault in check.faults)]


def _ack(plan: LoadPlan) -> str | None:
    return (plan.ack or "queued") if plan.namespace is Namespace.DESTINATION else None
