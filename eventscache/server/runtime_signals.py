"""The signals that do something while the server runs, and end a process that is not ready for them."""

import signal
from typing import Final

from eventscache.logs import on_terminal

RUNTIME_SIGNALS: Final = (signal.SIGHUP, signal.SIGUSR1)
"""SIGHUP reads the settings again, SIGUSR1 switches debugging on or off. Workers get them from their supervisor."""


def hold_signals() -> None:
    """Let these signals wait until `take_signals`; SIGHUP of a terminal that is closed still ends the process."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1} if on_terminal() else RUNTIME_SIGNALS)


def take_signals() -> None:
    """Get these signals from now on, also those that waited. Needs handlers for them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, RUNTIME_SIGNALS)
