"""Rows of the containers of attempts that have several: from the attempt's start on, and how each ended."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from batchyard.core.ids import AttemptId, JobSeq, Millis
from batchyard.store.statements import Statements

_COLUMNS = (
    "job_seq, attempt_id, position, log_id, log_group, log_stream, placed_at, started_at, stopped_at, exit_code, reason"
)
_PUT = f"INSERT OR REPLACE INTO attempt_containers ({_COLUMNS}) VALUES ({', '.join('?' * 11)})"
_SELECT = f"SELECT {_COLUMNS} FROM attempt_containers WHERE job_seq = ? AND attempt_id = ? ORDER BY position"


class AttemptContainer(NamedTuple):
    """One container of an attempt. `stopped_at` is set once the attempt has ended, `started_at` then only if it ran."""

    job_seq: JobSeq
    attempt_id: AttemptId
    position: int
    log_id: AttemptId
    log_group: str
    log_stream: str
    placed_at: Millis
    started_at: Millis | None = None
    stopped_at: Millis | None = None
    exit_code: int | None = None
    reason: str | None = None


class AttemptContainers:
    """The door to them, on one connection."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def put(self, containers: Iterable[AttemptContainer]) -> None:
        """Write rows, in the place of those that were."""
        values: list[tuple[Any, ...]] = [tuple(container) for container in containers]
        if values:
            self._run(_PUT, values)

    def of_attempt(self, seq: JobSeq, attempt_id: AttemptId) -> list[AttemptContainer]:
        """Those of one attempt by position; none before it has started, or if it has but one."""
        return [AttemptContainer(*row) for row in self._run(_SELECT, (seq, attempt_id))]
