"""Single-event POSTs under overload: the sidecar against a bare aiohttp application, alternated in one run.

Both servers are pinned to the first core, the load to the last. Everything is on loopback, and bounded in time.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import uvloop

CONNECTIONS = 32
STREAMS = 100
ADDRESS = re.compile(r"http://[0-9.]+:[0-9]+")
EVENT = (
    b'{"event_type":"pageview","src":"jitsu","url":"http://example.com/page","user":{"anonymous_id":"jg5r4o6j02"},'
    b'"utc_time":"2026-01-01T00:00:00.000000Z","local_tz_offset":-180,"user_language":"en-US","text":"%b"}'
)


class Server:
    """A server process on the first core."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", sys.executable, *command], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr
        for line in self.process.stderr:
            if found := ADDRESS.search(line):
                self.address = found[0]
                return
        raise SystemExit(f"{command} did not start")

    @property
    def cpu_seconds(self) -> float:
        """Time on the processor so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def resident_bytes(self) -> int:
        """Memory that is really there."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def running(*command: str) -> Iterator[Server]:
    server = Server(*command)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait()


class Load(asyncio.Protocol):
    """One keep-alive connection that sends the next request when the answer to the last one is complete."""

    done = 0

    def __init__(self, requests: list[bytes]) -> None:
        self._requests = requests
        self._next = 0
        self._received = b""
        self.stopped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._send()

    def _send(self) -> None:
        self._transport.write(self._requests[self._next])
        self._next = (self._next + 1) % len(self._requests)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator or len(body) < len(b'{"status":"ok"}'):
            return
        if not head.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"not a 200: {self._received!r}")
        self._received = b""
        type(self).done += 1
        if not self.stopped:
            self._send()


class Measured(NamedTuple):
    """Requests per second, and the server's processor time for each."""

    rate: float
    cpu_us: float


async def load(server: Server, event_bytes: int, seconds: float) -> Measured:
    """Load a server in a closed loop."""
    url = urlsplit(server.address)
    assert url.hostname
    assert url.port
    event = EVENT % (b"x" * max(0, event_bytes - len(EVENT)))
    requests = [
        b"POST /api/v1/event?token=key%d HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (number, url.netloc.encode(), len(event), event)
        for number in range(STREAMS)
    ]
    loop = asyncio.get_running_loop()
    connections = [
        await loop.create_connection(lambda: Load(requests), url.hostname, url.port) for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(min(1.0, seconds / 4))  # warm-up
    before, cpu, began = Load.done, server.cpu_seconds, loop.time()
    await asyncio.sleep(seconds)
    done, elapsed = Load.done - before, loop.time() - began
    measured = Measured(done / elapsed, (server.cpu_seconds - cpu) / done * 1e6)
    for transport, protocol in connections:
        protocol.stopped = True
        transport.close()
    return measured


def compare(rounds: int, seconds: float, event_bytes: int) -> None:
    """Print the ratio of the two servers' rates, round by round, and its median."""
    rates, costs = [], []
    with running("benchmarks/bare.py") as bare, running("-m", "eventscache", "serve", "--port", "0") as sidecar:
        print("| round | bare aiohttp | eventscache | ratio | CPU a request | ratio |\n|---|---|---|---|---|---|")
        for number in range(1, rounds + 1):
            first, second = [uvloop.run(load(server, event_bytes, seconds)) for server in (bare, sidecar)]
            rates.append(second.rate / first.rate)
            costs.append(first.cpu_us / second.cpu_us)
            print(
                f"| {number} | {first.rate:,.0f}/s | {second.rate:,.0f}/s | {rates[-1]:.2f} "
                f"| {first.cpu_us:.1f} and {second.cpu_us:.1f} µs | {costs[-1]:.2f} |",
                flush=True,
            )
    for name, ratios in (("rate", rates), ("processor time", costs)):
        print(f"\n{name}: median ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    print("\nThe bar is 0.70.\n")


def memory(seconds: float, event_bytes: int) -> None:
    """Print the sidecar's resident memory after a sixth of the time and after all of it, at full speed."""
    with running("-m", "eventscache", "serve", "--port", "0") as sidecar:
        uvloop.run(load(sidecar, event_bytes, seconds / 6))
        early = sidecar.resident_bytes
        uvloop.run(load(sidecar, event_bytes, seconds * 5 / 6))
        late = sidecar.resident_bytes
    print(f"resident after {seconds / 6:.0f} s of overload: {early / 2**20:.1f} MiB")
    print(f"resident after {seconds:.0f} s of overload: {late / 2**20:.1f} MiB ({late / early:.3f} of it)")


def main() -> None:
    """Run both measurements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="per server and round")
    parser.add_argument("--event-bytes", type=int, default=1000)
    parser.add_argument("--memory-seconds", type=float, default=60.0, help="0 to leave the memory out")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    compare(arguments.rounds, arguments.seconds, arguments.event_bytes)
    if arguments.memory_seconds:
        memory(arguments.memory_seconds, arguments.event_bytes)


if __name__ == "__main__":
    main()
