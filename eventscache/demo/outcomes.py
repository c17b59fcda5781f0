"""The result of an event at each of the shop's destinations: a row, a call, a reason to skip it, or an error."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

from eventscache.demo.originals import Original

BIGQUERY, POSTGRES, SLACK = "bigquery.main", "postgres.crm", "webhook.slack"

_ERROR_SHARE = 0.04
_FOR_CRM = ("signup", "purchase", "invoice_paid", "subscription_renewed", "payment_failed")
_FOR_SLACK = ("signup", "purchase", "payment_failed")
_BIGQUERY_TYPES = {"int": "INT64", "float": "FLOAT64", "time": "TIMESTAMP", "str": "STRING"}
_POSTGRES_TYPES = {"int": "bigint", "float": "double precision", "time": "timestamp", "str": "text"}
_HOOK = "https://hooks.slack.example/services/T000/B000"


class Outcome(NamedTuple):
    """The result of an event at a destination: exactly one of the three."""

    success: dict[str, Any] | None = None
    error: str = ""
    skip: str = ""


class Outcomes:
    """Makes the results: by the type of the event, and errors at random."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def of(self, original: Original) -> Iterator[tuple[str, Original, Outcome]]:
        """Yield for each destination its name, the event that it got, and the outcome."""
        for destination, process in ((BIGQUERY, self._bigquery), (POSTGRES, self._postgres), (SLACK, self._slack)):
            yield destination, *process(original)

    def _fails_at_random(self) -> bool:
        return self._random.random() < _ERROR_SHARE

    def _bigquery(self, original: Original) -> tuple[Original, Outcome]:
        if "local_tz_offset" in original and self._fails_at_random():
            changed = {**original, "local_tz_offset": str(original["local_tz_offset"])}
            reason = "Unsupported column [local_tz_offset] type changing from: INT64 to: STRING"
            return changed, Outcome(error=reason)
        return original, Outcome(_row(BIGQUERY, "events", original, _BIGQUERY_TYPES))

    def _postgres(self, original: Original) -> tuple[Original, Outcome]:
        kind = original["event_type"]
        if kind not in _FOR_CRM:
            return original, Outcome(skip=f"the table name template skips events of type {kind}")
        if self._fails_at_random():
            changed = {
                **original,
                "user": {**original["user"], "internal_id": int(original["user"]["internal_id"][1:])},
            }
            reason = "Unsupported column [user_internal_id] type changing from: STRING to: INT64"
            return changed, Outcome(error=reason)
        return original, Outcome(_row(POSTGRES, f"crm_{kind}", original, _POSTGRES_TYPES))

    def _slack(self, original: Original) -> tuple[Original, Outcome]:
        kind = original["event_type"]
        if kind not in _FOR_SLACK:
            return original, Outcome(skip="the webhook wants sign-ups, purchases and failed payments only")
        if self._random.random() < 2 * _ERROR_SHARE:
            return original, Outcome(error=f"HTTP POST {_HOOK}: 429 Too Many Requests: rate_limited")
        text = f"{kind}: {original['user'].get('email', 'somebody')}"
        call = {
            "destination_id": SLACK,
            "url": _HOOK,
            "method": "POST",
            "headers": {"Content-Type": "application/json"},
            "body": json.dumps({"text": text}),
        }
        return original, Outcome(call)


def _row(destination: str, table: str, original: Original, types: dict[str, str]) -> dict[str, Any]:
    record = [
        {
            "field": field,
            "type": types[_value_type(field, value)],
            "value": value if isinstance(value, str) else str(value),
        }
        for field, value in _flatten(original)
    ]
    return {"destination_id": destination, "table": table, "record": record}


def _flatten(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flatten(inner, f"{prefix}{name}_")
        else:
            yield prefix + name, json.dumps(inner) if isinstance(inner, list) else inner


def _value_type(field: str, value: Any) -> str:
    return "time" if field == "utc_time" else type(value).__name__
