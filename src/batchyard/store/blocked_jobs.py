"""Rows of blocked jobs; `batchyard.core.time_limits.BlockedJob` above the store."""

from collections.abc import Iterable

from batchyard.core.ids import JobSeq, Millis
from batchyard.core.time_limits import BlockedJob
from batchyard.store.statements import Statements

_COLUMNS = "job_seq, queue_id, reason, since, due_at"
_PUT = (
    f"INSERT INTO blocked_jobs ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (job_seq) DO UPDATE SET"
    " since = excluded.since, due_at = excluded.due_at, reason = excluded.reason"
)


class BlockedJobs:
    """Which jobs say why they cannot be placed, since when, and when that has lasted too long."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def get(self, seq: JobSeq) -> BlockedJob | None:
        """What is known of a job; None if it is not blocked."""
        row = self._run(f"SELECT {_COLUMNS} FROM blocked_jobs WHERE job_seq = ?", (seq,)).one_or_none()
        return None if row is None else BlockedJob(*row)

    def put(self, rows: Iterable[BlockedJob]) -> None:
        """Make or replace these rows."""
        if values := [tuple(row) for row in rows]:
            self._run(_PUT, values)

    def delete(self, seqs: Iterable[JobSeq]) -> None:
        """These jobs are blocked no more."""
        if values := [(seq,) for seq in seqs]:
            self._run("DELETE FROM blocked_jobs WHERE job_seq = ?", values)

    def of_queue(self, queue_id: int) -> list[BlockedJob]:
        """All of a queue."""
        found = self._run(f"SELECT {_COLUMNS} FROM blocked_jobs WHERE queue_id = ?", (queue_id,))
        return [BlockedJob(*row) for row in found]

    def for_reason(self, prefix: str) -> list[BlockedJob]:
        """All whose reason begins so, in order of submission."""
        statement = f"SELECT {_COLUMNS} FROM blocked_jobs WHERE substr(reason, 1, length(?)) = ? ORDER BY job_seq"
        return [BlockedJob(*row) for row in self._run(statement, (prefix, prefix))]

    def due(self, now: Millis, limit: int) -> list[BlockedJob]:
        """At most `limit` whose time is over, the longest overdue first."""
        found = self._run(
            f"SELECT {_COLUMNS} FROM blocked_jobs WHERE due_at <= ? ORDER BY due_at, job_seq LIMIT ?", (now, limit)
        )
        return [BlockedJob(*row) for row in found]

    def next_due(self) -> Millis | None:
        """When the first time limit ends a job."""
        found: Millis | None = self._run("SELECT min(due_at) FROM blocked_jobs WHERE due_at IS NOT NULL").scalar()
        return found

    def sweep(self) -> None:
        """Drop the rows of jobs that say something else now; for after all misfits were looked at again."""
        self._run(
            "DELETE FROM blocked_jobs WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.seq = blocked_jobs.job_seq"
            " AND jobs.status_reason = blocked_jobs.reason AND jobs.status IN ('RUNNABLE', 'PENDING'))"
        )
