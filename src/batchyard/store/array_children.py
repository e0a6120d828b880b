"""Rows of array children: only those that have been placed at least once."""

from collections.abc import Iterable, Sequence
from typing import Any

from batchyard.core.ids import JobSeq, Millis
from batchyard.core.intervals import Indexes
from batchyard.core.jobs import Job, JobKey, JobStatus
from batchyard.store.statements import Statements, slices

_COLUMNS = (
    "job_seq, array_index, status, status_reason, scheduled_at, started_at, stopped_at, attempt, is_cancelled, "
    "is_terminated, requested_reason"
)
_SELECT = f"SELECT {_COLUMNS} FROM array_children"
_WRITE = f"INSERT OR REPLACE INTO array_children ({_COLUMNS}) VALUES ({', '.join('?' * 11)})"
_STATUS = {status.value: status for status in JobStatus}


def _job(r: Any, created_at: Millis) -> Job:
    return Job(
        JobKey(r[0], r[1]), _STATUS[r[2]], created_at, r[3], r[4], r[5], r[6], r[7], bool(r[8]), bool(r[9]), r[10]
    )


class ArrayChildren:
    """Children that differ from their neighbours. `created_at` is their parent's, so it is passed in, not stored."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def write(self, children: Iterable[Job]) -> None:
        """Make or replace these rows."""
        values = [
            (
                *c.key,
                c.status.value,
                c.status_reason,
                c.scheduled_at,
                c.started_at,
                c.stopped_at,
                c.attempt,
                c.is_cancelled,
                c.is_terminated,
                c.requested_reason,
            )
            for c in children
        ]
        if values:
            self._run(_WRITE, values)

    def get(self, seq: JobSeq, index: int, created_at: Millis) -> Job | None:
        """The row of a child, or None if it has none."""
        found = self._run(f"{_SELECT} WHERE job_seq = ? AND array_index = ?", (seq, index)).one_or_none()
        return None if found is None else _job(found, created_at)

    def get_many(self, seq: JobSeq, indexes: Sequence[int], created_at: Millis) -> dict[int, Job]:
        """Those of these children that have rows, by index."""
        found: dict[int, Job] = {}
        for marks, values in slices(indexes):
            rows = self._run(f"{_SELECT} WHERE job_seq = ? AND array_index IN ({marks})", (seq, *values))
            found |= {r[1]: _job(r, created_at) for r in rows}
        return found

    def with_status(
        self, seq: JobSeq, statuses: Sequence[JobStatus], after: int, limit: int, created_at: Millis
    ) -> list[Job]:
        """Children with rows in these statuses beyond index `after`, by index."""
        marks = ", ".join("?" * len(statuses))
        found = self._run(
            f"{_SELECT} WHERE job_seq = ? AND status IN ({marks}) AND array_index > ? ORDER BY array_index LIMIT ?",
            (seq, *(s.value for s in statuses), after, limit),
        )
        return [_job(r, created_at) for r in found]

    def indexes(self, seq: JobSeq, status: JobStatus) -> Indexes:
        """The children with rows that are in this status."""
        found = self._run(
            "SELECT array_index FROM array_children WHERE job_seq = ? AND status = ?", (seq, status.value)
        )
        return Indexes.of(r[0] for r in found)
