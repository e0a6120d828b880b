"""python -m benchmarks [NAME ...] [--quick] [--json FILE] [--write-docs]."""

import argparse
import dataclasses
import datetime
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import msgspec

from benchmarks import (
    growth,
    p1_array_rate,
    p2_idle_latency,
    p3_submit_rate,
    p4_array_cost,
    p5_million_queued,
    p6_full_queue_rate,
    p7_reads_when_full,
    p8_log_throughput,
    p9_containers,
    p10_fair_share,
    report,
)
from benchmarks.figures import Result
from benchmarks.machine import description

ROOT = Path(__file__).resolve().parent.parent
LATEST = ROOT / "benchmarks" / "results" / "latest.json"
PAGE = ROOT / "docs" / "performance.md"

MEASURES: dict[str, Callable[..., Result]] = {
    "p1": p1_array_rate.measure,
    "p2": p2_idle_latency.measure,
    "p3": p3_submit_rate.measure,
    "p4": p4_array_cost.measure,
    "p5": p5_million_queued.measure,
    "p6": p6_full_queue_rate.measure,
    "p7": p7_reads_when_full.measure,
    "p8": p8_log_throughput.measure,
    "p9": p9_containers.measure,
    "p10": p10_fair_share.measure,
    "growth": growth.measure,
}


def main() -> int:
    """Measure, print and record; 1 if a promise was missed."""
    gc.disable()  # a collection in the client would be counted as the server's delay
    options = _options()
    machine = description()
    results = []
    for name in options.names or MEASURES:
        start = perf_counter()
        print(f"{name} ...", end="", file=sys.stderr, flush=True)
        results.append(MEASURES[name](quick=options.quick))
        print(f" {perf_counter() - start:.0f} s: {results[-1].outcome}", file=sys.stderr)
    now = datetime.datetime.now(datetime.UTC)
    record = {"at": now.isoformat(timespec="seconds"), "is_quick": options.quick, "machine": machine}
    record["results"] = [dataclasses.asdict(result) for result in results]
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    report.show(machine, results)
    if options.write_docs:
        when = f"{now:%Y-%m-%d}" + (", a quick run" if options.quick else "")
        report.write(PAGE, machine, when, results)
    return int(any(result.holds is False for result in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASURES)}; all without any")
    parser.add_argument("--quick", action="store_true", help="fewer of everything: under a minute")
    parser.add_argument("--json", type=Path, default=LATEST, metavar="FILE", help=f"default: {LATEST}")
    parser.add_argument("--write-docs", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    unknown = set(options.names) - MEASURES.keys()
    if unknown:
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
