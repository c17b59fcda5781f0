"""Compare the sidecar with what people would otherwise use, and write a report.

    python -m benchmarks.compare [--quick] [--report FILE] [--only CASE ...]

Starts its own Redis and servers, all on loopback, and ends them. A bar that is not met is reported, and the exit code
is still 0.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.cases import Findings
from benchmarks.commands import yardsticks
from benchmarks.measures import FULL, MEASURES, QUICK, MeasurePlan
from benchmarks.report import Environment, Report, Yardstick
from benchmarks.servers import CORES, LOAD_CORE, Bench, pin, pinning, processor

RESULTS = Path(__file__).parent / "results"
YARDSTICKS = "commands"


def run(bench: Bench, plan: MeasurePlan, names: list[str]) -> tuple[Findings, list[Yardstick]]:
    """Measure the named cases, and print each result when it is there."""
    findings = Findings.empty()
    for name, measure in MEASURES.items():
        if name in names:
            found = measure(bench, plan)
            findings.add(found)
            for result in found.results:
                print(f"{'met   ' if result.met else 'NOT met'} {result}\n        {result.note}", flush=True)
    return findings, yardsticks(bench, plan) if YARDSTICKS in names else []


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="in under three minutes, with shorter rounds")
    parser.add_argument("--report", type=Path, help="where to; by default benchmarks/results/report.md or quick.md")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="per contender and round")
    parser.add_argument("--memory-seconds", type=float, help="how long the memory is observed")
    parser.add_argument("--streams", type=int, help="instead of 100,000")
    parser.add_argument("--only", nargs="+", choices=[*MEASURES, YARDSTICKS], default=[*MEASURES, YARDSTICKS])
    return parser.parse_args()


def _plan(arguments: argparse.Namespace) -> MeasurePlan:
    changed = {
        name: value for name, value in vars(arguments).items() if name in MeasurePlan._fields and value is not None
    }
    return (QUICK if arguments.quick else FULL)._replace(**changed)


def main() -> None:
    if sys.platform != "linux":
        raise SystemExit("this needs Linux: the memory and processor time of processes are read from /proc")
    arguments = _arguments()
    plan = _plan(arguments)
    report = arguments.report or RESULTS / ("quick.md" if arguments.quick else "report.md")
    with Bench() as bench:
        environment = Environment.here(processor(), len(CORES), pinning(), bench.redis_version)
        pin(LOAD_CORE)
        findings, found = run(bench, plan, arguments.only)
    remarks = [f"{plan.rounds} rounds of {plan.seconds:g} s per contender, alternated; events of 1 KB."]
    if plan.shortened:
        remarks.append(f"**Shortened**: {plan.shortened}.")
    if len(arguments.only) <= len(MEASURES):
        remarks.append(f"**Not everything was measured**, only: {', '.join(arguments.only)}.")
    Report(environment, findings, found, remarks).write(report)
    print(f"\n{report}")


if __name__ == "__main__":
    main()
