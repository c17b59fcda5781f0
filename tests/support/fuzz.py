"""Fuzzing: the same few examples in every run of the tests, or always others for as long as is asked for."""

import functools
import os
import time
from collections.abc import Callable

import hypothesis

FUZZ_SECONDS = float(os.environ.get("FUZZ_SECONDS") or 0)
"""How long each fuzzer goes on; without it each has one short round."""


def settings(examples: int = 1000 if FUZZ_SECONDS else 100) -> hypothesis.settings:
    """Return what one round is: a short one never changes, and none fails for being slow."""
    return hypothesis.settings(
        derandomize=not FUZZ_SECONDS,
        database=None,
        deadline=None,
        max_examples=examples,
        print_blob=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def in_rounds(test: Callable[[], None]) -> None:
    """Run a property once, or round after round, each with other examples, until the time is over."""
    until = time.monotonic() + FUZZ_SECONDS
    test()
    while time.monotonic() < until:
        test()


def fuzzed(chosen: hypothesis.settings) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a property a fuzzer."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        prepared = chosen(test)

        @functools.wraps(prepared)
        def repeated(*arguments: object, **fixtures: object) -> None:
            in_rounds(lambda: prepared(*arguments, **fixtures))

        return repeated

    return decorate


fuzz = fuzzed(settings())
"""What most fuzzers are."""
