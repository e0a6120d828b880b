"""P6: jobs a second with 1,000 children queued, against the same with a million queued behind them or before them.

What is timed is an array whose queue is opened once everything has been submitted. *Behind*: the rest stands in the
same queue. *Before*: the rest was submitted first, to a queue of lower priority on the same machine.
"""

import time
from time import perf_counter

from benchmarks.figures import Figure, Result, in_turns, median, polling, ratio
from benchmarks.yard import Yard

ARRAYS = 100
SIZE = 10_000
WITHIN = 0.10


def measure(*, quick: bool) -> Result:
    """1,000 jobs in five rounds; 300 in one when quick."""
    jobs, rounds = (300, 1) if quick else (1_000, 5)
    found = in_turns(
        rounds,
        {
            "few": lambda: _rate(jobs),
            "behind": lambda: _rate(jobs, behind=ARRAYS),
            "before": lambda: _rate(jobs, before=ARRAYS),
        },
    )
    behind, before = ratio(found["behind"], found["few"]), ratio(found["before"], found["few"])
    return Result(
        number="P6",
        title=f"jobs/s of an array of {jobs:,}, with 1,000,000 more children queued, to without",
        target="at least 0.9 x",
        outcome=f"{behind:.2f} x behind it, {before:.2f} x before it",
        holds=min(behind, before) >= 1 - WITHIN,
        figures=[
            Figure("jobs, nothing else queued", median(found["few"]), "/s"),
            Figure("jobs, a million behind", median(found["behind"]), "/s"),
            Figure("jobs, a million before", median(found["before"]), "/s"),
        ],
    )


def _rate(jobs: int, *, behind: int = 0, before: int = 0) -> float:
    with Yard() as yard:
        yard.queue("first", priority=2)
        yard.queue("second", priority=1)
        for _ in range(before):
            yard.submit("second", SIZE)
        job_id = yard.submit("first", jobs)
        for _ in range(behind):
            yard.submit("first", SIZE)
        if before:
            yard.open_queue("second")
        start = perf_counter()
        yard.open_queue("first")
        for _ in polling(120.0):
            if yard.connection.job(job_id)["status"] == "SUCCEEDED":
                break
            time.sleep(0.02)
        return jobs / (perf_counter() - start)
