"""P7: ListJobs and DescribeJobs with a million finished jobs in the store.

One real job is run, and its rows are copied through the store's own doors, since running a million would take an hour.
"""

import random
from time import perf_counter
from typing import Any

from batchyard.store.database import Database
from benchmarks.figures import Figure, Result, percentile, polling
from benchmarks.growth import BATCH, copy_job
from benchmarks.yard import Yard

TARGET_P99_MS = 20.0
FEW = 1_000
IDS = 100
WARMING = 5
"""Requests of a server that has just started, which still loads modules: not counted."""


def measure(*, quick: bool) -> Result:
    """A million jobs, 100,000 when quick; 300 requests of each kind, 100 when quick, before and after the filling."""
    jobs, samples, patience = (100_000, 100, 8.0) if quick else (1_000_000, 300, 240.0)
    with Yard() as yard:
        example = _finished(yard)
        few = _timings(yard, _filled(yard, example, FEW, patience), samples)
        start = perf_counter()
        ids = _filled(yard, example, jobs - FEW, patience)
        seconds = perf_counter() - start
        many = _timings(yard, ids, samples)
        size_mib = sum(file.stat().st_size for file in yard.data.glob("batchyard.sqlite3*")) / (1 << 20)
    p99 = {name: percentile(taken, 0.99) for name, taken in many.items()}
    figures = [Figure("the store", size_mib, "MiB"), Figure("filling it", seconds, "s")]
    for name, taken in many.items():
        figures.append(Figure(f"{name}, p50", percentile(taken, 0.5), "ms"))
        figures.append(Figure(f"{name}, p99 with 1,000 jobs", percentile(few[name], 0.99), "ms"))
    return Result(
        number="P7",
        title=f"{len(ids) + FEW:,} finished jobs in the store: p99 of a ListJobs page and of DescribeJobs of 100",
        target="under 20 ms",
        outcome=", ".join(f"{name} {value:.1f} ms" for name, value in p99.items()),
        holds=max(p99.values()) < TARGET_P99_MS if len(ids) + FEW == jobs else None,
        figures=figures,
    )


def _finished(yard: Yard) -> str:
    job_id = yard.submit()
    for _ in polling(30.0):
        if yard.connection.job(job_id)["status"] == "SUCCEEDED":
            return job_id
    raise AssertionError


def _filled(yard: Yard, example: str, number: int, patience: float) -> list[str]:
    """Stop the server, copy the rows of job `example` `number` times, as far as `patience` seconds go; the copies."""
    yard.stop()
    database = Database.at(yard.data, synchronous="OFF")
    ids: list[str] = []
    with database.read() as tx:
        row = tx.jobs.find(example)
    assert row is not None
    start = perf_counter()
    while len(ids) < number and perf_counter() - start < patience:
        ids += copy_job(database, row.seq, min(BATCH, number - len(ids)))
    database.close()
    yard.start()
    return ids


def _timings(yard: Yard, ids: list[str], samples: int) -> dict[str, list[float]]:
    """Milliseconds of pages of ListJobs, walked on and on, and of DescribeJobs of jobs picked anywhere."""
    call, dice, token = yard.connection.call, random.Random(1), None
    found: dict[str, list[float]] = {"ListJobs": [], "DescribeJobs": []}
    for number in range(-WARMING, samples):
        page: dict[str, Any] = {"jobQueue": "default", "jobStatus": "SUCCEEDED", "maxResults": 100}
        start = perf_counter()
        answer = call("listjobs", **page, **({} if token is None else {"nextToken": token}))
        listing = 1000 * (perf_counter() - start)
        token = answer.get("nextToken")
        wanted = dice.sample(ids, IDS)
        start = perf_counter()
        jobs = call("describejobs", jobs=wanted)["jobs"]
        describing = 1000 * (perf_counter() - start)
        assert len(jobs) == IDS
        if number >= 0:
            found["ListJobs"].append(listing)
            found["DescribeJobs"].append(describing)
    return found
