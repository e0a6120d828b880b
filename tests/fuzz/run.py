"""`python -m tests.fuzz.run --examples 10000`: that many requests, spread over all operations."""

import argparse
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import track

from batchyard.wire import model
from tests.fuzz.fire import fire
from tests.fuzz.target import Target

ROUND = 20
"""Requests of one operation in a row, before the next has its turn."""


def main() -> int:
    """The exit code: 0 when every answer was one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=10_000, help="how many requests")
    parser.add_argument("--operation", help="of this one alone, such as SubmitJob")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory(prefix="batchyard-fuzz-") as folder:
        failed = _fire(console, Path(folder), arguments.examples, arguments.operation)
    console.print(f"{len(failed)} operations failed: {', '.join(sorted(failed))}" if failed else "all is well")
    return 1 if failed else 0


def _fire(console: Console, folder: Path, examples: int, only: str | None) -> set[str]:
    operations = [
        operation
        for service in (model.batch(), model.logs())
        for name, operation in service.operations.items()
        if only in (None, name)
    ]
    rounds = -(-examples // (ROUND * len(operations)))
    statuses: Counter[int] = Counter()
    failed: set[str] = set()
    began = time.monotonic()
    target = Target(folder)
    for _ in track(range(rounds), "firing", console=console):
        target.seed()
        for operation in operations:
            try:
                statuses += fire(target, operation, ROUND)
            except Exception:
                failed.add(operation.name)
                console.print(traceback.format_exc(limit=-2), markup=False, highlight=False, soft_wrap=True)
    target.end()
    told = ", ".join(f"{number} of {status}" for status, number in sorted(statuses.items()))
    console.print(f"{statuses.total()} requests in {time.monotonic() - began:.0f} s: {told}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
