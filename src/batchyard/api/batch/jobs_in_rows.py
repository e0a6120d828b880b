"""The jobs that keys name within their rows: a child may be a row of its own, or still a part of its parent's."""

from collections.abc import Iterable

from batchyard.core import arrays
from batchyard.core.jobs import Job, JobKey, JobStatus
from batchyard.store.jobs import JobRow
from batchyard.store.transaction import Transaction


def job_of(tx: Transaction, row: JobRow, key: JobKey) -> Job:
    """The job that `key` names within its row."""
    return jobs_of(tx, [(row, key)])[key]


def jobs_of(tx: Transaction, named: Iterable[tuple[JobRow, JobKey]]) -> dict[JobKey, Job]:
    """The jobs that keys name within their rows; one query for each array with children that have rows."""
    found: dict[JobKey, Job] = {}
    with_rows: dict[int, tuple[JobRow, list[int]]] = {}
    for row, key in named:
        if key.array_index is None:
            found[key] = row.job
        elif row.children is None:
            found[key] = Job(key, JobStatus.SUBMITTED, row.job.created_at)
        elif (segment := row.children.segment_of(key.array_index)) is not None:
            found[key] = arrays.child_job(key.seq, row.job, segment, key.array_index)
        else:
            with_rows.setdefault(key.seq, (row, []))[1].append(key.array_index)
    for row, indexes in with_rows.values():
        children = tx.array_children.get_many(row.seq, indexes, row.job.created_at)
        assert len(children) == len(set(indexes)), f"a child of {row.job_id} is neither in a segment nor has it a row"
        found |= {child.key: child for child in children.values()}
    return found
