"""Several worker processes on one port: started, restarted when they exit, stopped together."""

import contextlib
import mmap
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from eventscache.errors import CannotListen, ConfigError
from eventscache.logs import on_terminal
from eventscache.metrics.shared_memory import SharedMetrics
from eventscache.server.runtime_signals import RUNTIME_SIGNALS

_log = structlog.get_logger()

CONFIG_EXIT = 2
"""The exit code of settings that cannot be used: another start does not mend them."""
LISTEN_EXIT = 1
"""The exit code if the address or the port is not there now: another start may succeed."""
_NO_RESTART = (CONFIG_EXIT, LISTEN_EXIT)
_SHORT_LIFE_SECONDS = 1.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_AWAITED = (*_STOP_SIGNALS, *RUNTIME_SIGNALS, signal.SIGCHLD, signal.SIGALRM)


class SharedState:
    """What the supervisor tells all workers, in memory that they share. To be created before they are forked."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    @property
    def debugs(self) -> bool:
        """Whether debugging is on."""
        return self._memory[0] == 1

    @debugs.setter
    def debugs(self, on: bool) -> None:
        self._memory[0] = int(on)


class Worker(NamedTuple):
    """A worker process: its number from 0, the memory that all workers share, and the process that started it."""

    number: int
    metrics: SharedMetrics
    shared: SharedState
    parent: int

    @property
    def orphaned(self) -> bool:
        """Whether the process that would restart and stop it is gone."""
        return os.getppid() != self.parent


class Supervisor:
    """Forks `count` workers that each run `work`. Use it before there is an event loop or a thread.

    `reload` reads the settings again for workers that are started later, and raises `ConfigError` if they cannot be
    used: then no worker is told to read them.
    """

    def __init__(self, count: int, work: Callable[[Worker], None], reload: Callable[[], None]) -> None:
        self._count = count
        self._work = work
        self._reload = reload
        self._metrics = SharedMetrics(count)
        self._shared = SharedState()
        self._running: dict[int, tuple[int, float]] = {}  # by process id: the worker's number, and its start time
        self._waiting: list[int] = []  # the numbers of workers that died soon after their start
        self._stopping = False
        self._code = 0

    def run(self) -> int:
        """Return when all workers have exited: the exit code of a worker that could not start, or 0."""
        # Signals are blocked and taken one after the other, so that none comes between two steps, such as a fork and
        # what is noted of it. The process that started us may have ignored some, and these would never come.
        for number in _AWAITED:
            signal.signal(number, _nothing)
        signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        for worker in range(self._count):
            self._start(worker)
        while self._running or self._waiting:
            came = signal.sigwait(_AWAITED)
            if came in _STOP_SIGNALS:
                self._stop()
            elif came == signal.SIGHUP:
                self._hang_up()
            elif came == signal.SIGUSR1:
                self._shared.debugs = not self._shared.debugs
                self._pass_on(signal.SIGUSR1)
            elif came == signal.SIGCHLD:
                self._restart_dead()
            else:  # the time has come to start those that died soon
                self._start_waiting()
        return self._code

    def _restart_dead(self) -> None:
        """Restart all workers that exited; one signal may stand for several of them."""
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            if pid not in self._running:  # a child that we have from who started us
                continue
            worker, started = self._running.pop(pid)
            exit_code = os.waitstatus_to_exitcode(status)
            if self._stopping:
                continue
            if exit_code in _NO_RESTART:  # it has logged why, and the next one would fail the same way
                self._code = exit_code
                self._stop()
                continue
            _log.error("worker exited, restarting", worker=worker, exit_code=exit_code)
            self._metrics.publish(worker, self._metrics.read(worker).after_death())
            if time.monotonic() - started >= _SHORT_LIFE_SECONDS:
                self._start(worker)
                continue
            self._waiting.append(worker)  # no tight loop of restarts
            signal.setitimer(signal.ITIMER_REAL, _SHORT_LIFE_SECONDS)

    def _start_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for worker in waiting:
            self._start(worker)

    def _start(self, worker: int) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._running[pid] = (worker, time.monotonic())
            return
        own = {*_AWAITED}.difference(RUNTIME_SIGNALS)  # those passed on wait until the worker can do something on them
        for number in own:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, own)
        code = os.EX_SOFTWARE
        try:
            self._work(Worker(worker, self._metrics, self._shared, parent))
            code = 0
        except SystemExit as exiting:
            code = exiting.code if isinstance(exiting.code, int) else os.EX_SOFTWARE
        except Exception:
            _log.exception("worker failed")
        finally:
            os._exit(code)  # without the cleanup of the parent, which would run twice

    def _hang_up(self) -> None:
        """Read the settings again, and let the workers do so; stop if a terminal was closed."""
        if on_terminal():
            self._stop()
            return
        try:
            self._reload()
        except ConfigError as fault:
            _log.error("settings not reloaded, the last ones stay in use", reason=str(fault))
            return
        except Exception:
            _log.exception("settings not reloaded, the last ones stay in use")
            return
        self._pass_on(signal.SIGHUP)

    def _stop(self) -> None:
        self._stopping = True
        self._waiting.clear()
        self._pass_on(signal.SIGTERM)

    def _pass_on(self, number: signal.Signals) -> None:
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _nothing(*_: object) -> None:
    """Stand where a signal may be ignored, or end the process: it is blocked, and waited for."""


def free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0; raise `CannotListen` if another process listens there.

    Workers share the port by SO_REUSEPORT, which would hide that a second server was started by mistake.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            bound: int = probe.getsockname()[1]
            return bound
    except OSError as fault:
        reason = os.strerror(fault.errno) if fault.errno and fault.errno > 0 else str(fault)
        raise CannotListen(f"eventscache.port: cannot listen on {host}:{port}: {reason}") from None
