"""The story of every job: one row per transition, in the order in which they were decided."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from batchyard.core.ids import JobSeq, Millis
from batchyard.core.intervals import Span
from batchyard.store.statements import Statements


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A transition of a job, or of the children in `span` together. `event` names what happened."""

    at: Millis
    job_seq: JobSeq
    span: Span | None
    attempt: int | None
    event: str
    from_status: str | None
    to_status: str
    reason: str | None


class History:
    """Append-only."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def append(self, rows: Iterable[HistoryRow]) -> None:
        """Add rows at the end."""
        values = [
            (r.at, r.job_seq, *(r.span or (None, None)), r.attempt, r.event, r.from_status, r.to_status, r.reason)
            for r in rows
        ]
        if values:
            self._run(
                "INSERT INTO history (at, job_seq, first_index, last_index, attempt, event, from_status, to_status,"
                " reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )

    def of_job(self, seq: JobSeq) -> list[HistoryRow]:
        """The whole story of a job and its children, oldest first."""
        found: Iterable[Any] = self._run(
            "SELECT at, job_seq, first_index, last_index, attempt, event, from_status, to_status, reason FROM history"
            " WHERE job_seq = ? ORDER BY seq",
            (seq,),
        )
        return [HistoryRow(r[0], r[1], None if r[2] is None else (r[2], r[3]), *r[4:]) for r in found]
