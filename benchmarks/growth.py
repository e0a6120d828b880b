"""Growth: what a job costs the engine with so many others queued before it, or finished before it.

The engine alone, as in P10. Finished jobs are copies of one that ran, made through the store's own doors.
"""

import uuid
from dataclasses import replace

from batchyard.core.ids import AttemptId, JobId, JobSeq
from batchyard.core.jobs import JobKey
from batchyard.store.database import Database
from benchmarks.engine_alone import ARRAYS, EngineAlone
from benchmarks.figures import Figure, Result

JOBS = 2_000
BATCH = 2_000
WITHIN = 0.25


def measure(*, quick: bool) -> Result:
    """10^3 to 10^6 queued and finished; to 10^5 when quick."""
    counts = [10**power for power in (range(3, 6) if quick else range(3, 7))]
    queued = {count: _with_queued(count) for count in counts}
    finished = {count: _with_finished(count) for count in counts}
    worst = max(cost / found[counts[0]] for found in (queued, finished) for cost in found.values())
    figures = [Figure(f"{count:,} queued", cost / 1000, "ms CPU/job") for count, cost in queued.items()]
    figures += [Figure(f"{count:,} finished", cost / 1000, "ms CPU/job") for count, cost in finished.items()]
    return Result(
        number="Growth",
        title=f"CPU of the engine a job with {counts[-1]:,} queued or finished, to {counts[0]:,}",
        target="at most 1.25 x",
        outcome=f"{worst:.2f} x at worst",
        holds=worst <= 1 + WITHIN,
        figures=figures,
    )


def _with_queued(count: int) -> float:
    with EngineAlone() as alone:
        alone.submit(JOBS)
        alone.submit(*[count // ARRAYS or 1] * ARRAYS)
        return alone.run(JOBS).cpu


def _with_finished(count: int) -> float:
    with EngineAlone() as alone:
        alone.submit(None)
        alone.run(1)
        for done in range(0, count, BATCH):
            copy_job(alone.database, JobSeq(1), min(BATCH, count - done))
        alone.submit(JOBS)
        return alone.run(JOBS).cpu


def copy_job(database: Database, seq: JobSeq, number: int) -> list[str]:
    """Copy the rows of a finished job so many times; the ids of the copies."""
    with database.write() as tx:
        (row,) = tx.jobs.get_many([seq])
        ran = tx.attempts.of_job(row.job.key)
        terms, story = tx.jobs.terms(row.seq), tx.history.of_job(row.seq)
        ids: list[str] = []
        attempts, history = [], []
        for _ in range(number):
            job_id, copy_seq = JobId(str(uuid.uuid4())), tx.jobs.next_seq()
            tx.jobs.insert(
                row._replace(job_id=job_id, job=row.job._replace(key=JobKey(copy_seq))), replace(terms, job_id=job_id)
            )
            attempts += [a._replace(key=JobKey(copy_seq), attempt_id=AttemptId(uuid.uuid4().hex)) for a in ran]
            history += [replace(moment, job_seq=copy_seq) for moment in story]
            ids.append(job_id)
        tx.attempts.insert(attempts)
        tx.history.append(history)
    return ids
