"""Rows of attempts. An attempt is active, and holds capacity, until `stopped_at` is set."""

from collections.abc import Iterable
from typing import Any

from batchyard.core.ids import JobSeq
from batchyard.core.jobs import Attempt, JobKey, StopCause, by_parent
from batchyard.store.statements import Statements, slices

_NO_INDEX = -1
_COLUMNS = (
    "job_seq, array_index, attempt, attempt_id, compute_environment, instance_id, vcpus, memory_mib, gpus, placed_at, "
    "log_group, log_stream, started_at, stopped_at, due_at, stop_wanted, exit_code, reason, status_reason"
)
_SELECT = f"SELECT {_COLUMNS} FROM attempts"
_INSERT = f"INSERT INTO attempts ({_COLUMNS}) VALUES ({', '.join('?' * 19)})"
_UPDATE = (
    "UPDATE attempts SET started_at=?, stopped_at=?, due_at=?, stop_wanted=?, exit_code=?, reason=?, status_reason=?"
    " WHERE job_seq=? AND array_index=? AND attempt=?"
)
_CAUSE = {cause.value: cause for cause in StopCause}


def _index(key: JobKey) -> int:
    return _NO_INDEX if key.array_index is None else key.array_index


def _attempt(r: Any) -> Attempt:
    key = JobKey(r[0], None if r[1] == _NO_INDEX else r[1])
    stop_wanted = None if r[15] is None else _CAUSE[r[15]]
    # fmt: off
    return Attempt(
        key, r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11], r[12], r[13], r[14], stop_wanted,
        r[16], r[17], r[18],
    )
    # fmt: on


class Attempts:
    """Attempts of every job."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def insert(self, attempts: Iterable[Attempt]) -> None:
        """Record attempts that begin (an attempt that ended within the same tick is written as it ended)."""
        values = [
            (
                a.key.seq,
                _index(a.key),
                a.attempt,
                a.attempt_id,
                a.compute_environment,
                a.instance_id,
                a.vcpus,
                a.memory_mib,
                a.gpus,
                a.placed_at,
                a.log_group,
                a.log_stream,
                a.started_at,
                a.stopped_at,
                a.due_at,
                a.stop_wanted,
                a.exit_code,
                a.reason,
                a.status_reason,
            )
            for a in attempts
        ]
        if values:
            self._run(_INSERT, values)

    def update(self, attempts: Iterable[Attempt]) -> None:
        """Write what changes of attempts."""
        values = [
            (
                a.started_at,
                a.stopped_at,
                a.due_at,
                a.stop_wanted,
                a.exit_code,
                a.reason,
                a.status_reason,
                a.key.seq,
                _index(a.key),
                a.attempt,
            )
            for a in attempts
        ]
        if values:
            self._run(_UPDATE, values)

    def delete(self, attempts: Iterable[Attempt]) -> None:
        """Forget attempts that were taken back before they started."""
        values = [(a.key.seq, _index(a.key), a.attempt) for a in attempts]
        if values:
            self._run("DELETE FROM attempts WHERE job_seq=? AND array_index=? AND attempt=?", values)

    def active(self) -> list[Attempt]:
        """Every attempt that holds capacity, oldest placement first."""
        return [_attempt(r) for r in self._run(f"{_SELECT} WHERE stopped_at IS NULL ORDER BY placed_at, attempt_id")]

    def of_job(self, key: JobKey) -> list[Attempt]:
        """All attempts of a job or child, oldest first."""
        found = self._run(f"{_SELECT} WHERE job_seq = ? AND array_index = ? ORDER BY attempt", (key.seq, _index(key)))
        return [_attempt(r) for r in found]

    def of_jobs(self, keys: Iterable[JobKey]) -> dict[JobKey, list[Attempt]]:
        """All attempts of those of these jobs and children that have any, oldest first; a few queries for single jobs
        and a few for each array."""
        singles, children = by_parent(keys)
        found: dict[JobKey, list[Attempt]] = {}
        for marks, values in slices(singles):
            where = f"job_seq IN ({marks}) AND array_index = {_NO_INDEX}"
            self._gather(found, where, values)
        for seq, indexes in children.items():
            for marks, values in slices(indexes):
                self._gather(found, f"job_seq = ? AND array_index IN ({marks})", (seq, *values))
        return found

    def latest_of_jobs(self, keys: Iterable[JobKey]) -> dict[JobKey, Attempt]:
        """The latest attempts of those of these jobs and children that have any."""
        return {key: attempts[-1] for key, attempts in self.of_jobs(keys).items()}

    def _gather(self, found: dict[JobKey, list[Attempt]], where: str, values: tuple[Any, ...]) -> None:
        for attempt in map(_attempt, self._run(f"{_SELECT} WHERE {where} ORDER BY attempt", values)):
            found.setdefault(attempt.key, []).append(attempt)

    def current(self, key: JobKey) -> Attempt | None:
        """The latest attempt of a job or child, active or ended; None before the first."""
        found = self._run(
            f"{_SELECT} WHERE job_seq = ? AND array_index = ? ORDER BY attempt DESC LIMIT 1", (key.seq, _index(key))
        ).one_or_none()
        return None if found is None else _attempt(found)

    def preempted(self, seq: JobSeq) -> int:
        """How many attempts of a single job have been preempted."""
        counted = self._run(
            f"SELECT count(*) FROM attempts WHERE job_seq = ? AND array_index = {_NO_INDEX} AND stopped_at IS NOT NULL"
            " AND stop_wanted = 'PREEMPTED'",
            (seq,),
        )
        return int(counted.scalar_one())
