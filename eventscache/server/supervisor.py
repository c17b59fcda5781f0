"""Several processes on one port: started, replaced when they die, stopped together."""

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
_STOPPING = (signal.SIGTERM, signal.SIGINT)


class Worker(NamedTuple):
    """What a worker process knows of its place."""

    number: int
    board: SharedMetrics
    parent: int  # the process that started it

    @property
    def orphaned(self) -> bool:
        """Whether the process that would replace and stop it is gone."""
        return os.getppid() != self.parent


class Supervisor:
    """Forks processes that each run `work`; to be used before there is an event loop or a thread."""

    def __init__(self, count: int, work: Callable[[Worker], None]) -> None:
        self._count = count
        self._work = work
        self._board = SharedMetrics(count)
        self._running: dict[int, tuple[int, float]] = {}  # by process id: the worker's number, and since when
        self._stopping = False

    def run(self) -> int:
        """Return when all have ended, with the exit code: that of a worker that could not start, or 0."""
        # Whoever started us may ignore it, and then no child could be waited for.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in _STOPPING:
            signal.signal(number, self._stop)
        for worker in range(self._count):
            self._start(worker)
        code = 0
        while self._running:
            pid, status = os.wait()
            worker, since = self._running.pop(pid)
            ended = os.waitstatus_to_exitcode(status)
            if self._stopping:
                continue
            if ended == CONFIG_EXIT:  # it said why; another one would say the same
                code = ended
                self._stop()
                continue
            _log.error("worker died, and is replaced", worker=worker, exit=ended)
            self._board.publish(worker, self._board.read(worker).after_death())
            if time.monotonic() - since < _SHORT_LIFE_SECONDS:
                time.sleep(_SHORT_LIFE_SECONDS)  # whatever it dies of, not as fast as it can
            self._start(worker)
        return code

    def _start(self, worker: int) -> None:
        parent = os.getpid()
        # Who is told to stop between the fork and the note of it would forget the child; the child, our handler.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            if self._stopping:
                return
            pid = os.fork()
            if pid:
                self._running[pid] = (worker, time.monotonic())
                return
            for number in _STOPPING:
                signal.signal(number, signal.SIG_DFL)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPPING)
        code = 1
        try:
            self._work(Worker(worker, self._board, parent))
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except Exception:
            _log.exception("a worker failed")
        finally:
            os._exit(code)  # nothing of the parent's is to be run twice

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def free_port(host: str, port: int) -> int:
    """Return the port, or a free one for 0; raise `ConfigError` if somebody listens there.

    Workers share it by SO_REUSEPORT, and with that nobody would notice that a second server was started by mistake.
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
