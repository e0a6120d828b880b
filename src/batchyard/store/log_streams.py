"""Log streams: every attempt that started has one, and one more for each further container, so they are read from
the rows of those."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from batchyard.core.ids import AttemptId, JobSeq, Millis
from batchyard.core.resolved_tasks import ResolvedContainer, placed_containers
from batchyard.store import documents
from batchyard.store.log_groups import LogGroup
from batchyard.store.statements import Statements

_STREAMS = (
    "(SELECT log_group, log_stream, attempt_id AS log_id, placed_at, started_at, stopped_at, job_seq, 0 AS position"
    " FROM attempts UNION ALL"
    " SELECT log_group, log_stream, log_id, placed_at, started_at, stopped_at, job_seq, position"
    " FROM attempt_containers WHERE position > 0)"
)
_SELECT = f"SELECT log_stream, log_id, started_at, stopped_at, job_seq, position FROM {_STREAMS}"
_OF_GROUP = "log_group = ? AND placed_at >= ? AND started_at IS NOT NULL"
_LAST_EVENT = "coalesce(stopped_at, started_at)"
_AFTER_EVERYTHING = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class LogStream:
    """One container's stream. It is complete once `stopped_at` is set; `log_id` names its file,
    `position` the container in its attempt."""

    name: str
    log_id: AttemptId
    started_at: Millis
    stopped_at: Millis | None
    job_seq: JobSeq
    position: int

    @property
    def last_event_at(self) -> Millis:
        """When the stream was last written to, as far as the rows know: a running attempt counts from its start."""
        return self.started_at if self.stopped_at is None else self.stopped_at


class LogStreams:
    """The door to them, on one connection."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def get(self, group: LogGroup, name: str) -> LogStream | None:
        """The stream of this name in the group."""
        found = self._statements.run(
            f"{_SELECT} WHERE {_OF_GROUP} AND log_stream = ?", (group.name, group.created_at, name)
        )
        row = found.first()
        return None if row is None else _stream(row)

    def event_start(self, stream: LogStream) -> str | None:
        """What its container's terms say of where a log event begins; None where every line is one."""
        row = self._statements.run(
            "SELECT json_extract(document, '$.resolved.containers') FROM job_requests"
            ' WHERE seq = ? AND instr(document, \'"log_event_start":"\') > 0',
            (stream.job_seq,),
        ).first()
        if row is None:
            return None
        containers = documents.load_as(row[0], list[ResolvedContainer])
        return placed_containers(containers)[stream.position].container.log_event_start

    def queues(self, group: LogGroup, names: Sequence[str]) -> dict[str, str | None]:
        """The names of the queues whose jobs wrote these streams; streams that do not exist are left out."""
        marks = ", ".join("?" * len(names))
        rows = self._statements.run(
            "SELECT log_stream, json_extract(job_requests.document, '$.queue')"
            f" FROM {_STREAMS} LEFT JOIN job_requests ON job_requests.seq = job_seq"
            f" WHERE {_OF_GROUP} AND log_stream IN ({marks})",
            (group.name, group.created_at, *names),
        )
        return {row[0]: row[1] for row in rows}

    def by_name(
        self, group: LogGroup, *, prefix: str, after: str | None, descending: bool, limit: int
    ) -> list[LogStream]:
        """At most `limit` streams whose names start with `prefix`, by name, of those behind `after`."""
        first, last = prefix, prefix + _AFTER_EVERYTHING
        if after is not None:
            first, last = (first, after) if descending else (after, last)
        boundary = (
            "log_stream >= ? AND log_stream < ?" if after is None or descending else "log_stream > ? AND log_stream < ?"
        )
        rows = self._statements.run(
            f"{_SELECT} WHERE {_OF_GROUP} AND {boundary} ORDER BY log_stream {'DESC' if descending else 'ASC'} LIMIT ?",
            (group.name, group.created_at, first, last, limit),
        )
        return [_stream(row) for row in rows]

    def by_start(
        self,
        group: LogGroup,
        *,
        prefix: str,
        stopped_since: Millis,
        started_before: Millis,
        after: tuple[int, str],
        limit: int,
    ) -> list[LogStream]:
        """At most `limit` streams by their start, of those behind `after` (that time, and the name).

        Streams that ended before `stopped_since` are left out. Without a prefix the whole group is looked at.
        """
        rows = self._statements.run(
            f"{_SELECT} WHERE {_OF_GROUP} AND log_stream >= ? AND log_stream < ? AND started_at < ?"
            " AND (stopped_at IS NULL OR stopped_at >= ?) AND (started_at, log_stream) > (?, ?)"
            " ORDER BY started_at, log_stream LIMIT ?",
            (
                *(group.name, group.created_at, prefix, prefix + _AFTER_EVERYTHING),
                *(started_before, stopped_since, *after, limit),
            ),
        )
        return [_stream(row) for row in rows]

    def by_last_event(
        self, group: LogGroup, *, after: tuple[int, str] | None, descending: bool, limit: int
    ) -> list[LogStream]:
        """At most `limit` streams by time of their last event, of those behind `after` (that time, and the name).

        No index bears this order: the whole group is looked at.
        """
        comparison, direction = ("<", "DESC") if descending else (">", "ASC")
        condition, values = "", tuple[Any, ...]()
        if after is not None:
            condition, values = f" AND ({_LAST_EVENT}, log_stream) {comparison} (?, ?)", after
        rows = self._statements.run(
            f"{_SELECT} WHERE {_OF_GROUP}{condition}"
            f" ORDER BY {_LAST_EVENT} {direction}, log_stream {direction} LIMIT ?",
            (group.name, group.created_at, *values, limit),
        )
        return [_stream(row) for row in rows]


def _stream(row: Any) -> LogStream:
    return LogStream(
        row[0], AttemptId(row[1]), Millis(row[2]), None if row[3] is None else Millis(row[3]), JobSeq(row[4]), row[5]
    )
