"""Rows of dependsOn."""

from collections.abc import Iterable, Sequence
from typing import Any

from batchyard.core.dependencies import Edge
from batchyard.core.ids import JobSeq
from batchyard.core.intervals import Indexes
from batchyard.core.jobs import JobStatus
from batchyard.store.statements import Statements, slices

_COLUMNS = "job_seq, position, type, on_job_seq, on_array_index, outcome, succeeded, failed"
_SELECT = f"SELECT {_COLUMNS} FROM dependencies"


def _edge(r: Any) -> Edge:
    outcome = None if r[5] is None else JobStatus(r[5])
    return Edge(r[0], r[1], r[2], r[3], r[4], outcome, Indexes.parse(r[6] or ""), Indexes.parse(r[7] or ""))


class Dependencies:
    """Who waits for whom."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def write(self, edges: Iterable[Edge]) -> None:
        """Make or replace these rows."""
        values = [
            (
                e.job_seq,
                e.position,
                e.type,
                e.on_job_seq,
                e.on_array_index,
                e.outcome,
                str(e.succeeded) or None,
                str(e.failed) or None,
            )
            for e in edges
        ]
        if values:
            self._run(f"INSERT OR REPLACE INTO dependencies ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)

    def of_job(self, seq: JobSeq) -> list[Edge]:
        """What a job waits for, in the order given."""
        return [_edge(r) for r in self._run(f"{_SELECT} WHERE job_seq = ? ORDER BY position", (seq,))]

    def open_on(self, seqs: Sequence[JobSeq]) -> list[Edge]:
        """Every open edge that points at one of these jobs."""
        found: list[Edge] = []
        for marks, values in slices(seqs):
            rows = self._run(f"{_SELECT} WHERE on_job_seq IN ({marks}) AND outcome IS NULL", values)
            found += [_edge(r) for r in rows]
        return found
