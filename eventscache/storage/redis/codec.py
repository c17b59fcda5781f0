"""Converts between the values of the contract and what Redis stores, what the scripts get, and what they return."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eventscache.errors import ConfigError
from eventscache.storage.messages import (
    Admission,
    Batch,
    Decision,
    Entry,
    ExtraInfo,
    LimitedCount,
    Offer,
    Quota,
    kind_of,
)
from eventscache.storage.redis.driver_errors import translate
from eventscache.storage.redis.entries import make_entries
from eventscache.storage.redis.keys import EXTRA_KINDS, KINDS
from eventscache.stream import Namespace, Status, Stream

STATUS_LETTERS = {Status.SUCCESS: "s", Status.SKIP: "k", Status.ERROR: "e"}
_STATUSES = {letter.encode(): status for status, letter in STATUS_LETTERS.items()}
# By whether an error is offered to `all` and to `error`.
_ERROR_LETTERS: Mapping[tuple[bool, bool], str] = {
    (True, True): "e",
    (True, False): "a",
    (False, True): "x",
    (False, False): "y",
}
_LETTERS_OF_EXTRAS_ONLY = {Status.SUCCESS: "n", Status.SKIP: "m"}
_MAX_EVENT_BYTES = 2**24  # of the longest event, as in `lua/fetch.lua`
_STALE = 2
_FAR_FUTURE_US = 10**16


def insert_arguments(batches: Sequence[Batch], now: int | str, expiry_ms: int) -> list[Any]:
    """Return the arguments of `lua/insert.lua`, in its order; all batches have the quota and writer of the first."""
    quota, success = batches[0].quota, Status.SUCCESS
    has_extras = any_extras(batches)
    keys = len(KINDS) + has_extras * len(EXTRA_KINDS)
    arguments: list[Any] = [now, quota.size, quota.window_us, expiry_ms, batches[0].writer, keys]
    for batch in batches:
        to_all, to_error, offers = batch.all, batch.error, batch.offers
        arguments += (
            batch.number,
            to_all.surplus,
            to_error.surplus,
            _limited_counts(to_all.limited_earlier) if to_all.limited_earlier else "",
            _limited_counts(to_error.limited_earlier) if to_error.limited_earlier else "",
            "".join([_letter(offer) if offer.status is not success or not offer.to_all else "s" for offer in offers]),
        )
        arguments += [offer.event for offer in offers]
        if has_extras:
            arguments += _extra_arguments(batch)
    return arguments


def any_extras(batches: Sequence[Batch]) -> bool:
    """Whether any of the batches has extra collections: then the script gets the keys of these too."""
    return any(batch.extras for batch in batches)


def _extra_arguments(batch: Batch) -> Iterator[Any]:
    yield len(batch.extras)
    for name, extra in batch.extras.items():
        yield from (_extra_name(name), extra.quota.size, extra.quota.window_us, extra.most, extra.unsent.surplus)
        yield _limited_counts(extra.unsent.limited_earlier)
        yield " ".join(str(index + 1) for index in extra.offered)


def _extra_name(name: str) -> bytes:
    return name.encode(errors="surrogatepass")


def _letter(offer: Offer) -> str:
    if offer.status is Status.ERROR:
        return _ERROR_LETTERS[offer.to_all, offer.to_error]
    return STATUS_LETTERS[offer.status] if offer.to_all else _LETTERS_OF_EXTRAS_ONLY[offer.status]


def _limited_counts(counts: Sequence[LimitedCount]) -> str:
    return " ".join(f"{age_us}:{events}" for age_us, events in counts if events)


def admission(batch: Batch, reply: Sequence[Any]) -> tuple[Admission, bool]:
    """Return the answer to a batch from the reply of `lua/insert.lua`, and whether the stream had no state before."""
    kind, at_us, all_admitted, all_retry, error_admitted, error_retry, other_quota, created, extras = reply
    answer = Admission(
        at_us,
        Decision(all_admitted, all_retry) if all_admitted >= 0 else None,
        Decision(error_admitted, error_retry) if error_admitted >= 0 else None,
        kind == _STALE,
        _quota(other_quota) if other_quota else None,
        dict(zip(batch.extras, map(Decision, extras[::2], extras[1::2]), strict=False)) if extras else {},
    )
    return answer, bool(created)


def extra_infos(fields: Mapping[bytes, bytes], kind: str) -> list[ExtraInfo]:
    """Return the extra collections of a kind from what Redis stores, the most recently active first."""
    infos = []
    for name, field in fields.items():
        try:
            _, _, *counts, newest, _, kept = map(int, field.split())
            info = ExtraInfo(name.decode(errors="surrogatepass"), newest - kept + 1, *counts)
        except (TypeError, ValueError, UnicodeDecodeError):
            continue  # something else overwrote it
        if info.offered and kind_of(info.name) == kind:
            infos.append(info)
    return sorted(infos, key=lambda info: (-info.last_us, info.name))


def _quota(text: bytes) -> Quota | None:
    try:
        return Quota(*map(int, text.split()))
    except (ConfigError, ValueError, TypeError):
        return None  # something else overwrote it


def entries(admission_log: list[bytes], events: list[bytes]) -> list[Entry]:
    """Return events with their places in the admission log; without those that cannot be from `lua/insert.lua`."""
    return make_entries(admission_log, events, _MAX_EVENT_BYTES, _STATUSES, Entry)


def member(stream: Stream) -> bytes:
    """Return a stream as the registry stores it."""
    return stream.id.encode(errors="surrogatepass")


def registered_streams(namespace: Namespace, members: Iterable[bytes]) -> Iterator[Stream]:
    """Yield the streams that the registry stores, without those that something else wrote there."""
    for id_ in members:
        try:
            yield Stream(namespace, id_.decode(errors="surrogatepass"))
        except UnicodeDecodeError:
            continue


def score_us(score: float) -> int:
    """Return a score of the registry as a time in microseconds; a score out of range is cut to a valid time."""
    return int(min(max(score, 0), _FAR_FUTURE_US - 1))


def active_us(clock: Any) -> int:
    """Return the last activity by the clock in a stream's state, in microseconds; 0 if that is missing or damaged."""
    try:
        last_us, offset_us = map(int, clock.split())
    except (AttributeError, ValueError):
        return 0
    return last_us - offset_us if last_us - offset_us < _FAR_FUTURE_US else 0


def list_length(reply: Any) -> int:
    """Return the reply of a pipeline to a command about a list; 0 if something else overwrote the key."""
    if not isinstance(reply, Exception):
        return int(reply)
    if "WRONGTYPE" in str(reply):
        return 0
    raise translate(reply, ambiguous=False).error from reply
