"""How fresh an overloaded stream is, by source, rate and number of processes: a simulation of the rate limiter.

    python -m benchmarks.freshness [--size 100] [--window-seconds 60]

Nothing is timed: it is the simulation of the tests, with the same results on every machine.
"""

import argparse
import statistics

from eventscache.clock import MICROSECONDS
from tests.support.fleet import SOURCES, Scenario

RATES = (1.05, 1.5, 2, 10, 100, 600)
PROCESSES = (1, 4)


def row(scenario: Scenario) -> str:
    overload = scenario.run()
    gaps = [gap / scenario.interval_us for gap in overload.gaps]
    calls = overload.fleet.calls / len(overload.fleet.all.admissions)
    cells = (
        scenario.source,
        f"{scenario.rate:g}",
        str(scenario.processes),
        f"{overload.use:.1%}",
        f"{min(gaps):.2f}",
        f"{statistics.median(gaps):.2f}",
        f"{max(gaps):.2f}",
        f"{calls:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs="+", default=[20, 100], help="S, the quota")
    parser.add_argument("--window-seconds", type=float, default=60, help="W")
    arguments = parser.parse_args()
    window_us = int(arguments.window_seconds * MICROSECONDS)
    for size in arguments.size:
        print(f"\n**S = {size}, W = {arguments.window_seconds:g} s.** Gaps in units of I = W/S.\n")
        print("| source | times the quota | processes | use of S | shortest gap | median | longest | calls/admission |")
        print("|---|---|---|---|---|---|---|---|")
        for source in SOURCES:
            for rate in RATES:
                for processes in PROCESSES:
                    print(row(Scenario(source, rate, size, processes, window_us)))


if __name__ == "__main__":
    main()
