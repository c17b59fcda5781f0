"""The rules that say which extra collections an event belongs to."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from eventscache.delivery.extra_cooldowns import ExtraKind
from eventscache.event import Event
from eventscache.extras.error_groups import EXAMPLES, GROUP, MOST_GROUPS, group_extras
from eventscache.extras.follows import FOLLOW, FOLLOW_SIZE, MOST_FOLLOWS, Follow
from eventscache.extras.scopes import MOST_SCOPES, SCOPE, SCOPE_SIZE
from eventscache.extras.types import MOST_TYPES, TYPE, type_extras
from eventscache.query.event_type import TypeOf
from eventscache.storage.messages import Quota, kind_of
from eventscache.stream import Stream

Names = tuple[str, ...]
NO_EXTRAS: Names = ()


class Rules(NamedTuple):
    """Names the extra collections of an event that is nothing but an original, and of any event.

    None: no rule is active, and nothing needs to be asked. An instance never changes.
    """

    of_original: Callable[[Stream, bytes], Names] | None = None
    of_event: Callable[[Stream, Event], Names] | None = None

    def within(self, scope: str) -> "Rules":
        """Return rules by which all events belong to one more collection, which is that of a scope."""
        of_original, of_event = self

        def original_in_scope(stream: Stream, original: bytes) -> Names:
            return (*(of_original(stream, original) if of_original else NO_EXTRAS), scope)

        def event_in_scope(stream: Stream, event: Event) -> Names:
            return (*(of_event(stream, event) if of_event else NO_EXTRAS), scope)

        return Rules(original_in_scope, event_in_scope)


NO_RULES = Rules()


def rules(*, groups: bool, follows: Sequence[Follow], type_of: TypeOf, listed_type_of: TypeOf | None) -> Rules:
    """Return the rules for what a cache keeps: events by type, errors by group, and what is followed.

    `type_of` finds the type of an original for follows, `listed_type_of` that by which it is kept, if any is.
    """
    types = listed_type_of is not None
    listed_type_of = listed_type_of or type_of
    if not types and not follows:
        return Rules(None, _group_of) if groups else NO_RULES

    tests = [(follow.collection, follow.test(type_of)) for follow in follows]

    def type_of_original(_: Stream, original: bytes) -> Names:
        return type_extras(listed_type_of(original))

    def of_original(stream: Stream, original: bytes) -> Names:
        names = type_extras(listed_type_of(original)) if types else NO_EXTRAS
        followed = [name for name, is_met in tests if is_met(stream, original, b"")]
        return (*names, *followed) if followed else names

    def of_event(stream: Stream, event: Event) -> Names:
        names = type_extras(listed_type_of(event.original)) if types else NO_EXTRAS
        followed = [name for name, is_met in tests if is_met(stream, event.original, event.success)]
        return (*names, *(_group_of(stream, event) if groups else NO_EXTRAS), *followed)

    return Rules(of_original if follows else type_of_original, of_event)  # the shortest way, as all events take it


def _group_of(_: Stream, event: Event) -> Names:
    return group_extras(event.error, malformed=bool(event.malformed))


class Kinds(NamedTuple):
    """The kinds of extra collections that a cache keeps, by their names, and how many events the others keep."""

    by_name: Mapping[str, ExtraKind]
    size: int

    def size_of(self, extra: str) -> int:
        """Return how many events an extra collection keeps; with an empty name that of `all` and `error`."""
        return self.by_name[kind_of(extra)].quota.size if extra else self.size


def extra_kinds(quota: Quota, *, per_type: int, groups: bool) -> dict[str, ExtraKind]:
    """Return the kinds of extra collections of a cache with this quota; those of types and groups can be off."""
    kinds = {FOLLOW: (FOLLOW_SIZE, MOST_FOLLOWS), SCOPE: (SCOPE_SIZE, MOST_SCOPES)}
    if per_type:
        kinds[TYPE] = (per_type, MOST_TYPES)
    if groups:
        kinds[GROUP] = (EXAMPLES, MOST_GROUPS)
    return {name: ExtraKind(Quota.at_most(size, quota.window_us), most) for name, (size, most) in kinds.items()}
