"""The story of every job: one row per transition, in the order in which they were decided."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

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


class NumberedRow(NamedTuple):
    """A row with its number, which ascends and is never given twice, and the queue of its job; None if that is gone."""

    seq: int
    queue_id: int | None
    row: HistoryRow


_COLUMNS = "at, job_seq, first_index, last_index, attempt, event, from_status, to_status, reason"
_INSERT = f"INSERT INTO history ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


def _history_row(r: Any) -> HistoryRow:
    return HistoryRow(r[0], r[1], None if r[2] is None else (r[2], r[3]), *r[4:])


class History:
    """Append-only. has_grown: whether rows were added through this door."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run
        self.has_grown = False

    def append(self, rows: Iterable[HistoryRow]) -> None:
        """Add rows at the end."""
        values = [
            (r.at, r.job_seq, *(r.span or (None, None)), r.attempt, r.event, r.from_status, r.to_status, r.reason)
            for r in rows
        ]
        if values:
            self._run(_INSERT, values)
            self.has_grown = True

    def of_job(self, seq: JobSeq) -> list[HistoryRow]:
        """The whole story of a job and its children, oldest first."""
        found: Iterable[Any] = self._run(f"SELECT {_COLUMNS} FROM history WHERE job_seq = ? ORDER BY seq", (seq,))
        return [_history_row(r) for r in found]

    def newest(self) -> int:
        """The number of the newest row there ever was; 0 before the first."""
        found = self._run("SELECT seq FROM sqlite_sequence WHERE name = 'history'").scalar()
        return int(found or 0)

    def oldest(self) -> int:
        """The number of the oldest row that is kept; that of the next one if none is."""
        found = self._run("SELECT min(seq) FROM history").scalar()
        return self.newest() + 1 if found is None else int(found)

    def between(
        self, after: int, through: int, limit: int, job_seq: JobSeq | None = None, statuses: Sequence[str] = ()
    ) -> list[NumberedRow]:
        """The first `limit` rows numbered `after + 1` to `through`, by number.

        job_seq: of this job alone. statuses: that lead to these alone, any if there are none. Takes time in the rows
        between the two numbers, or in those of the job.
        """
        values: tuple[int, ...]
        where, values = "seq > ? AND seq <= ?", (after, through)
        if job_seq is not None:
            where, values = f"job_seq = ? AND {where}", (job_seq, *values)
        marks = ", ".join("?" * len(statuses))
        if statuses:
            where += f" AND to_status IN ({marks})"
        found: Iterable[Any] = self._run(
            f"SELECT h.*, jobs.queue_id FROM (SELECT seq, {_COLUMNS} FROM history WHERE {where} ORDER BY seq LIMIT ?) h"
            " LEFT JOIN jobs ON jobs.seq = h.job_seq ORDER BY h.seq",
            (*values, *statuses, limit),
        )
        return [NumberedRow(r[0], r[-1], _history_row(r[1:-1])) for r in found]
