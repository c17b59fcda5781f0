"""Several worker processes on one port: started, restarted when they exit, stopped together."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from eventscache.errors import ConfigError
from eventscache.metrics.shared_memory import SharedMetrics

_log = structlog.get_logger()

CONFIG_EXIT = 2
_SHORT_LIFE_SECONDS = 1.0
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_PASSED_ON = (signal.SIGHUP, signal.SIGUSR1)  # what a worker does on these, all of them do


class Worker(NamedTuple):
    """A worker process: its number from 0, the metrics that all workers share, and the process that started it."""

    number: int
    metrics: SharedMetrics
    parent: int

    @property
    def orphaned(self) -> bool:
        """Whether the process that would restart and stop it is gone."""
        return os.getppid() != self.parent


class Supervisor:
    """Forks `count` workers that each run `work`. Use it before there is an event loop or a thread."""

    def __init__(self, count: int, work: Callable[[Worker], None]) -> None:
        self._count = count
        self._work = work
        self._metrics = SharedMetrics(count)
        self._running: dict[int, tuple[int, float]] = {}  # by process id: the worker's number, and its start time
        self._stopping = False

    def run(self) -> int:
        """Return when all workers have exited: the exit code of a worker that could not start, or 0."""
        # The process that started us may have ignored this signal, and then `os.wait` would not see our children.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in _STOP_SIGNALS:
            signal.signal(number, self._stop)
        for number in _PASSED_ON:
            signal.signal(number, self._pass_on)
        for worker in range(self._count):
            self._start(worker)
        code = 0
        while self._running:
            pid, status = os.wait()
            worker, started = self._running.pop(pid)
            exit_code = os.waitstatus_to_exitcode(status)
            if self._stopping:
                continue
            if exit_code == CONFIG_EXIT:  # it has logged why, and the next one would fail the same way
                code = exit_code
                self._stop()
                continue
            _log.error("worker exited, restarting", worker=worker, exit_code=exit_code)
            self._metrics.publish(worker, self._metrics.read(worker).after_death())
            if time.monotonic() - started < _SHORT_LIFE_SECONDS:
                time.sleep(_SHORT_LIFE_SECONDS)  # no tight loop of restarts
            self._start(worker)
        return code

    def _start(self, worker: int) -> None:
        parent = os.getpid()
        # Blocked, since a signal between the fork and the entry in `_running` would not be passed on to the child, and
        # in the child it would call our handler.
        signal.pthread_sigmask(signal.SIG_BLOCK, (*_STOP_SIGNALS, *_PASSED_ON))
        try:
            if self._stopping:
                return
            pid = os.fork()
            if pid:
                self._running[pid] = (worker, time.monotonic())
                return
            for number in _STOP_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            for number in _PASSED_ON:
                signal.signal(number, signal.SIG_IGN)  # until the worker can do something on them
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (*_STOP_SIGNALS, *_PASSED_ON))
        code = 1
        try:
            self._work(Worker(worker, self._metrics, parent))
            code = 0
        except SystemExit as exiting:
            code = exiting.code if isinstance(exiting.code, int) else 1
        except Exception:
            _log.exception("worker failed")
        finally:
            os._exit(code)  # without the cleanup of the parent, which would run twice

    def _stop(self, *_: object) -> None:
        self._stopping = True
        self._pass_on(signal.SIGTERM)

    def _pass_on(self, number: int, *_: object) -> None:
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0; raise `ConfigError` if another process listens there.

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
        raise ConfigError(f"eventscache.port: cannot listen on {host}:{port}: {reason}") from None
