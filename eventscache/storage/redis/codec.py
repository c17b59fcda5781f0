"""What the scripts are given and what they return: batches, admissions and entries in the forms of Redis."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from eventscache.errors import ConfigError
from eventscache.storage.messages import Admission, Batch, Decision, Entry, LimitedCount, Offer, Quota
from eventscache.stream import Status

STATUS_LETTERS = {Status.SUCCESS: "s", Status.SKIP: "k", Status.ERROR: "e"}
_STATUSES = {letter.encode(): status for status, letter in STATUS_LETTERS.items()}
# By whether an error is offered to all events and to the errors.
_ERROR_LETTERS: Mapping[tuple[bool, bool], str] = {(True, True): "e", (True, False): "a", (False, True): "x"}
_STAMP, _MAX_EVENT_BYTES = re.compile(rb"[ske][0-9]{1,16}:[0-9]{1,16}"), 2**24  # as in `lua/fetch.lua`
_STALE = 2


def insert_arguments(batches: Sequence[Batch], now: int | str, expiry_ms: int) -> list[Any]:
    """Return what `lua/insert.lua` is given, in its order; all batches have the quota and writer of the first."""
    quota, success = batches[0].quota, Status.SUCCESS
    arguments: list[Any] = [now, quota.size, quota.window_us, expiry_ms, batches[0].writer]
    for batch in batches:
        by_all, by_error, offers = batch.all, batch.error, batch.offers
        arguments += (
            batch.number,
            by_all.surplus,
            by_error.surplus,
            _carried(by_all.limited_earlier) if by_all.limited_earlier else "",
            _carried(by_error.limited_earlier) if by_error.limited_earlier else "",
            "".join([_letter(offer) if offer.status is not success else "s" for offer in offers]),
        )
        arguments += [offer.event for offer in offers]
    return arguments


def _letter(offer: Offer) -> str:
    if offer.status is Status.ERROR:
        return _ERROR_LETTERS[offer.to_all, offer.to_error]
    return STATUS_LETTERS[offer.status]


def _carried(refusals: Sequence[LimitedCount]) -> str:
    return " ".join(f"{age_us}:{events}" for age_us, events in refusals if events)


def admission(reply: Sequence[Any]) -> tuple[Admission, bool]:
    """Return what `lua/insert.lua` says of a batch, and whether the stream had no state before."""
    kind, at_us, all_admitted, all_retry, error_admitted, error_retry, other_quota, created = reply
    answer = Admission(
        at_us,
        Decision(all_admitted, all_retry) if all_admitted >= 0 else None,
        Decision(error_admitted, error_retry) if error_admitted >= 0 else None,
        kind == _STALE,
        _quota(other_quota) if other_quota else None,
    )
    return answer, bool(created)


def _quota(text: bytes) -> Quota | None:
    try:
        return Quota(*map(int, text.split()))
    except (ConfigError, ValueError, TypeError):
        return None  # something else wrote over it


def is_entry(stamp: bytes, event: bytes) -> bool:
    """Whether that is what `lua/insert.lua` wrote."""
    return bool(_STAMP.fullmatch(stamp)) and len(event) <= _MAX_EVENT_BYTES


def entry(stamp: bytes, event: bytes) -> Entry:
    """Return an event with what its stamp says of it."""
    admitted_us, _, sequence = stamp[1:].partition(b":")
    return Entry(int(sequence), int(admitted_us), _STATUSES[stamp[:1]], event)
