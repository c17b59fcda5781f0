"""Measure what faults cost, and write the figures.

    python -m benchmarks.faults [--only FAULT ...] [--soak SECONDS] [--document FILE]

Starts its own servers on loopback, and ends them. An aim that is missed is told, and the exit code is still 0.
"""

import argparse
import asyncio
import os
import sys
from datetime import date
from pathlib import Path

import msgspec

from benchmarks.faults.cases import CASES
from benchmarks.faults.figures import Results, table, write_into
from benchmarks.faults.measuring import Load, measure
from benchmarks.faults.soak import soak
from benchmarks.servers import CORES, LOAD_CORE, pin, processor, take_priority
from tests.support.redis_server import NEWEST

RESULTS = Path(__file__).parents[1] / "results" / "faults.json"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=[*CASES], default=[*CASES], metavar="FAULT")
    parser.add_argument("--rate", type=float, default=2000.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each fault lasts")
    parser.add_argument("--soak", type=float, default=0.0, help="seconds of a run with all faults in turn; 0 for none")
    parser.add_argument("--priority", action="store_true", help="go before the machine's other work; needs root")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where to, as JSON")
    parser.add_argument("--document", type=Path, help="a document whose figures are replaced")
    parser.add_argument("--from", dest="earlier", type=Path, help="take earlier results, and measure nothing")
    return parser.parse_args()


def _facts(load: Load, *, priority: bool) -> list[tuple[str, str]]:
    average, others = os.getloadavg()[0], ", and priority over others" if priority else ""
    return [
        ("2,000 events a second" if load.rate == 2000.0 else f"{load.rate:,.0f} events a second", "of 1 KB"),
        ("faults of", f"{load.fault_seconds:g} s"),
        ("Redis", NEWEST),
        ("Python", sys.version.split()[0]),
        (f"{len(CORES)} cores of an", processor()),
        ("a load average of", f"{average:.1f} before{others}"),
        ("on", date.today().isoformat()),  # noqa: DTZ011 - the reader's own day
    ]


async def _measured(arguments: argparse.Namespace) -> Results:
    load = Load(arguments.rate, arguments.seconds)
    results = Results(_facts(load, priority=arguments.priority))
    for name in arguments.only:
        figures = await measure(name, CASES[name], load)
        results.figures.append(figures)
        print(f"{name}: {figures}\n    missed: {figures.misses or 'nothing'}", flush=True)
    if arguments.soak:
        results.soak = await soak(arguments.soak, load)
        print(results.soak, flush=True)
    return results


def main() -> None:
    if sys.platform != "linux":
        raise SystemExit("this needs Linux: the memory of processes is read from /proc")
    arguments = _arguments()
    if arguments.earlier:
        results = msgspec.json.decode(arguments.earlier.read_bytes(), type=Results)
    else:
        if arguments.priority:
            take_priority()
        pin(LOAD_CORE)
        results = asyncio.run(_measured(arguments))
        arguments.results.parent.mkdir(parents=True, exist_ok=True)
        arguments.results.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2))
    print(table(results))
    if arguments.document:
        write_into(arguments.document, results)


if __name__ == "__main__":
    main()
