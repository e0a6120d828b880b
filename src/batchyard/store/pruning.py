"""Forgetting jobs that ended long ago, in pieces that never hold up a tick.

A job is forgotten in one statement's time: its own row goes, and with it all that clients find it by. What hangs on it
and may be much (children, attempts, history) goes afterwards, slice by slice; `retired_jobs` says of which jobs
something is left, and `retired_logs` of which attempts files are, so that nothing is forgotten half however often the
server dies.
"""

from collections.abc import Sequence
from typing import NamedTuple

from batchyard.core.ids import AttemptId, JobId, JobSeq, Millis
from batchyard.store.statements import Statements, slices

_PAGE = (
    "SELECT seq, job_id, created_at, stopped_at, EXISTS (SELECT 1 FROM dependencies AS edge CROSS JOIN jobs AS waiting"
    " ON waiting.seq = edge.job_seq WHERE edge.on_job_seq = jobs.seq AND waiting.stopped_at IS NULL)"
    " FROM jobs WHERE seq > ? ORDER BY seq LIMIT ?"
)
_OF_ONE_JOB = (
    "DELETE FROM jobs WHERE seq IN ({})",
    "DELETE FROM job_requests WHERE seq IN ({})",
    "DELETE FROM consumable_needs WHERE job_seq IN ({})",
    "DELETE FROM dependencies WHERE job_seq IN ({})",
    "DELETE FROM dependencies WHERE on_job_seq IN ({})",
    "DELETE FROM blocked_jobs WHERE job_seq IN ({})",
    "DELETE FROM service_job_tokens WHERE job_seq IN ({})",
    "INSERT INTO retired_jobs (job_seq) SELECT value FROM json_each(json_array({}))",
)


class Aged(NamedTuple):
    """What decides whether a job is forgotten. is_needed: a job that has not ended depends on it."""

    seq: JobSeq
    job_id: JobId
    created_at: Millis
    stopped_at: Millis | None
    is_needed: bool


class Pruning:
    """The door to what is forgotten."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def oldest(self, after: JobSeq, limit: int) -> list[Aged]:
        """At most `limit` jobs in order of submission, from beyond number `after`."""
        return [Aged(r[0], r[1], r[2], r[3], bool(r[4])) for r in self._run(_PAGE, (after, limit))]

    def retire(self, jobs: Sequence[Aged]) -> None:
        """Forget jobs that have ended; `sweep` takes away what is left of them."""
        for marks, values in slices([job.seq for job in jobs]):
            for statement in _OF_ONE_JOB:
                self._run(statement.format(marks), values)
        if tags := [(f"{kind}/{job.job_id}",) for job in jobs for kind in ("job", "service-job")]:
            self._run("DELETE FROM tags WHERE resource = ?", tags)

    def sweep(self, limit: int) -> int:
        """Take away about `limit` rows of jobs that were forgotten; returns how many it were, 0 when none are left."""
        taken = 0
        for (seq,) in self._run("SELECT job_seq FROM retired_jobs ORDER BY job_seq LIMIT ?", (limit,)).all():
            for take in (self._take_containers, self._take_attempts, self._take_children, self._take_history):
                taken += take(seq, max(0, limit - taken))
            if taken >= limit:
                break  # perhaps not all of it
            self._run("DELETE FROM retired_jobs WHERE job_seq = ?", (seq,))
            taken += 1
        return taken

    def _take_containers(self, seq: JobSeq, limit: int) -> int:
        found = self._run(
            "SELECT attempt_id, position, log_id, started_at FROM attempt_containers WHERE job_seq = ? LIMIT ?",
            (seq, limit),
        ).all()
        if found:
            self._retire_logs([row[2] for row in found if row[3] is not None])
            self._run(
                "DELETE FROM attempt_containers WHERE job_seq = ? AND attempt_id = ? AND position = ?",
                [(seq, row[0], row[1]) for row in found],
            )
        return len(found)

    def _take_attempts(self, seq: JobSeq, limit: int) -> int:
        found = self._run(
            "SELECT array_index, attempt, attempt_id, started_at FROM attempts WHERE job_seq = ? LIMIT ?", (seq, limit)
        ).all()
        if found:
            self._retire_logs([row[2] for row in found if row[3] is not None])
            self._run(
                "DELETE FROM attempts WHERE job_seq = ? AND array_index = ? AND attempt = ?",
                [(seq, row[0], row[1]) for row in found],
            )
        return len(found)

    def _retire_logs(self, attempt_ids: Sequence[str]) -> None:
        """Remember that these attempts, or containers of theirs, may have files."""
        if rows := [(attempt_id,) for attempt_id in attempt_ids]:
            self._run("INSERT OR IGNORE INTO retired_logs (attempt_id) VALUES (?)", rows)

    def _take_children(self, seq: JobSeq, limit: int) -> int:
        found = self._run("SELECT array_index FROM array_children WHERE job_seq = ? LIMIT ?", (seq, limit)).all()
        if found:
            rows = [(seq, row[0]) for row in found]
            self._run("DELETE FROM array_children WHERE job_seq = ? AND array_index = ?", rows)
        return len(found)

    def _take_history(self, seq: JobSeq, limit: int) -> int:
        statement = "DELETE FROM history WHERE seq IN (SELECT seq FROM history WHERE job_seq = ? LIMIT ?)"
        return self._run(statement, (seq, limit)).rowcount

    def logs(self, limit: int) -> list[AttemptId]:
        """At most `limit` attempts that are forgotten and whose files may still be there."""
        return [
            row[0] for row in self._run("SELECT attempt_id FROM retired_logs ORDER BY attempt_id LIMIT ?", (limit,))
        ]

    def forget_logs(self, attempt_ids: Sequence[AttemptId]) -> None:
        """The files of these attempts are gone."""
        if rows := [(attempt_id,) for attempt_id in attempt_ids]:
            self._run("DELETE FROM retired_logs WHERE attempt_id = ?", rows)
