"""What came of a load test, as text and as JSON."""

from typing import Any

import msgspec

from eventscache import __version__
from eventscache.loadtest.account import Account
from eventscache.loadtest.load import Load
from eventscache.loadtest.plan import Plan
from eventscache.stream import Namespace


class Report:
    """The figures of a load and of the ledger; `account` is None if the deployment could not be asked in the end."""

    def __init__(self, plan: Plan, url: str, load: Load, account: Account | None) -> None:
        self._plan = plan
        self._url = url
        self._load = load
        self._account = account

    @property
    def good(self) -> bool:
        """Whether the ledger adds up, or cannot be expected to as others send too."""
        return self._account is not None and (self._plan.shared or not self._account.faults)

    def to_json(self) -> bytes:
        """Return an indented JSON object."""
        return msgspec.json.format(msgspec.json.encode(self._value()), indent=2) + b"\n"

    def _value(self) -> dict[str, Any]:
        plan, tally, seconds = self._plan, self._load.tally, self._load.seconds
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
                "sent": tally.sent,
                "answered": tally.answers,
                "statuses": {str(status): tally.statuses[status] for status in sorted(tally.statuses)},
                "unanswered": dict(tally.unanswered),
                "unsent": tally.unsent,
                "malformed": tally.malformed,
                "failed_connects": tally.unconnected,
                "per_second": round(tally.answers / seconds, 3),
            },
            "events": {
                "sent": tally.events,
                "errors": tally.errors,
                "per_second": round(tally.events / seconds, 3),
            },
            "latency_ms": tally.latency.summary(),
            "ledger": self._ledger(),
            "note": self._load.note,
        }

    def _ledger(self) -> dict[str, Any] | None:
        account = self._account
        if account is None:
            return None
        counts = account.counts
        return {
            "offered": {"least": account.least, "most": account.most},
            "received": counts.received,
            "stored": counts.stored,
            "limited": counts.limited,
            "dropped": sum(counts.dropped.values()),
            "dropped_by_reason": counts.dropped,
            "rejected": counts.rejected,
            "queued": account.queued,
            "faults": account.faults,
            "shared": self._plan.shared,
            "good": self.good,
        }

    def to_text(self) -> str:
        """Return lines for people."""
        rows = [("load", self._load_text()), ("requests", self._requests_text()), ("answers", self._answers_text())]
        since = "when each was due" if self._plan.rate else "sending"
        latency = "   ".join(f"{name} {value:,.3f} ms" for name, value in self._load.tally.latency.summary().items())
        rows += [("latency", f"{latency}   (from {since})"), *(("ledger", text) for text in self._ledger_texts())]
        if self._load.note:
            rows.append(("note", self._load.note))
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
        tally, seconds = self._load.tally, self._load.seconds
        return (
            f"{tally.sent:,} in {seconds:.2f} s: {tally.answers / seconds:,.0f} answers/s, "
            f"{tally.events / seconds:,.0f} events/s; {tally.errors:,} errors, {tally.malformed:,} malformed"
        )

    def _answers_text(self) -> str:
        tally = self._load.tally
        parts = [f"{tally.statuses[status]:,} with {status}" for status in sorted(tally.statuses)]
        parts += [f"{count:,} without any ({reason})" for reason, count in tally.unanswered.items()]
        if tally.unsent:
            parts.append(f"{tally.unsent:,} were due and could not be sent")
        if tally.unconnected:
            parts.append(f"{tally.unconnected:,} connections failed")
        return ", ".join(parts) or "none"

    def _ledger_texts(self) -> list[str]:
        account = self._account
        if account is None:
            return ["unknown: the metrics could not be read any more"]
        counts = account.counts
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in counts.dropped.items())
        dropped = f"{sum(counts.dropped.values()):,} dropped{f' ({reasons})' if reasons else ''}"
        sides = (
            f"{counts.received:,} received = {counts.stored:,} stored + {counts.limited:,} limited + "
            f"{dropped} + {counts.rejected:,} rejected"
        )
        if not account.faults:
            unknown = account.most - account.least
            return [sides, f"it adds up{f', with {unknown:,} events that nobody answered for' if unknown else ''}"]
        word = "note, as others send too" if self._plan.shared else "DIFFERS"
        return [sides, *(f"{word}: {fault}" for fault in account.faults)]


def _ack(plan: Plan) -> str | None:
    return (plan.ack or "queued") if plan.namespace is Namespace.DESTINATION else None
