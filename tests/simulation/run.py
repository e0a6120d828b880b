"""`python -m tests.simulation.run --seeds 1000`, or `--seed N` to replay one with its story."""

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter

from rich.console import Console
from rich.progress import track

from tests.simulation.simulation import Result, simulate


def main() -> int:
    """The exit code: 0 when every seed is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", help="replay this one and tell its story")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    console = Console()
    if arguments.seed is not None:
        return _replay(console, arguments.seed)
    return _many(console, range(arguments.first, arguments.first + arguments.seeds), arguments.processes)


def _replay(console: Console, seed: str) -> int:
    result = simulate(seed)
    for line in result.trace:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    _tell(console, result)
    return 1 if result.failure else 0


def _tell(console: Console, result: Result) -> None:
    verdict = result.failure or "all is well"
    console.print(
        f"seed {result.seed}: {verdict} ({result.jobs} jobs, {result.runs} runs)", markup=False, soft_wrap=True
    )


def _many(console: Console, seeds: range, processes: int) -> int:
    failures: list[Result] = []
    hits: Counter[str] = Counter()
    jobs = runs = 0
    began = time.monotonic()
    with multiprocessing.Pool(processes) as pool:
        results = pool.imap_unordered(simulate, seeds, chunksize=4)
        for result in track(results, "simulating", total=len(seeds), console=console):
            hits += result.hits
            jobs += result.jobs
            runs += result.runs
            if result.failure:
                failures.append(result)
                _tell(console, result)
    console.print(f"{len(seeds)} seeds, {jobs} jobs, {runs} runs in {time.monotonic() - began:.0f} s")
    console.print("faults: " + ", ".join(f"{number} {point}" for point, number in hits.most_common()))
    for result in failures[:20]:
        console.print(f"replay with: python -m tests.simulation.run --seed {result.seed}")
    console.print(f"{len(failures)} failed" if failures else "all is well")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
