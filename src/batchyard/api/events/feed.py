"""The history, read page by page as events.

Nothing is kept for events: row after row of the history is told, a row about many array children as one event for each
of them, by index. Each event has a position; who hands it back goes on behind it. A page is bounded in the rows that it
looks at and the events that it makes, however much lies ahead.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from batchyard.api.batch.clusters import Clusters
from batchyard.api.batch.job_details import job_detail
from batchyard.api.batch.jobs_in_rows import jobs_of
from batchyard.api.batch.service_jobs import service_job_detail
from batchyard.api.context import Context
from batchyard.api.events.envelope import envelope, event_id
from batchyard.core.job_events import Position, Transition, attempts_then, children_then, job_then
from batchyard.core.jobs import Attempt, Job, JobKey, JobStatus
from batchyard.engine.terms import TermsCache
from batchyard.store.history import NumberedRow
from batchyard.store.jobs import JobRow
from batchyard.store.transaction import Transaction

JOB_STATE_CHANGE = "Batch Job State Change"
SERVICE_JOB_STATE_CHANGE = "Batch Service Job State Change"
_NOT_TOLD = ("serviceRequestPayload", "scheduledAt")

EVENTS_AT_ONCE = 200
ROWS_AT_ONCE = 5_000
"""How many rows of the history a page may look at to find what is asked for."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted. queues: by name, None for all. job: a job with all its children, or one child.
    statuses: any if there are none."""

    queues: frozenset[str] | None = None
    job: JobKey | None = None
    statuses: tuple[JobStatus, ...] = ()


class JobEvent(NamedTuple):
    """One event. event_id, detail_type: the envelope's. body: the envelope as JSON."""

    position: Position
    event_id: str
    detail_type: str
    body: bytes


class Page(NamedTuple):
    """What follows a position.

    events: in order, perhaps none. position: behind all that was looked at. is_last: whether nothing more is there now.
    forgotten: the number of the oldest row that is left, if rows behind the position are gone.
    """

    events: list[JobEvent]
    position: Position
    is_last: bool
    forgotten: int | None = None


class _Moment(NamedTuple):
    """A row of the history, and which child of those it is about."""

    numbered: NumberedRow
    array_index: int | None

    @property
    def position(self) -> Position:
        span = self.numbered.row.span
        is_one_of_many = span is not None and span[0] != span[1]
        return Position(self.numbered.seq, self.array_index if is_one_of_many else None)

    @property
    def key(self) -> JobKey:
        return JobKey(self.numbered.row.job_seq, self.array_index)

    @property
    def transition(self) -> Transition:
        row = self.numbered.row
        return Transition(row.at, JobStatus(row.to_status), row.attempt, row.reason)


class Feed:
    """One reader's view of the history; used by one thread at a time.

    context_in: makes the context of a transaction and a region: an event is told as of the region of its submission.
    """

    def __init__(self, context_in: Callable[[Transaction, str], Context], wanted: Filter) -> None:
        self._context_in = context_in
        self._wanted = wanted
        self._terms = TermsCache()
        self._queues: dict[int, str] = {}

    def read(self, tx: Transaction, position: Position, limit: int = EVENTS_AT_ONCE) -> Page:
        """At most `limit` events behind the position."""
        newest, oldest = tx.history.newest(), tx.history.oldest()
        is_forgotten = position.seq > 0 and position.last_passed + 1 < oldest
        after = max(position.last_passed, oldest - 1)
        through = min(after + ROWS_AT_ONCE, newest)
        wanted = self._wanted
        job_seq = None if wanted.job is None else wanted.job.seq
        rows = tx.history.between(after, through, limit, job_seq, [each.value for each in wanted.statuses])
        moments: list[_Moment] = []
        for moment in self._moments(tx, rows, position):
            if len(moments) == limit:
                break
            moments.append(moment)
        if len(moments) == limit:
            reached = moments[-1].position
        else:
            reached = Position(rows[-1].seq if len(rows) == limit else max(through, position.seq))
        is_last = reached.last_passed >= newest
        return Page(
            _Telling(tx, self._context_in, self._terms).tell(moments),
            reached,
            is_last,
            oldest if is_forgotten else None,
        )

    def _moments(self, tx: Transaction, rows: Sequence[NumberedRow], position: Position) -> Iterator[_Moment]:
        """What is wanted of these rows, behind the position."""
        queues, job = self._wanted.queues, self._wanted.job
        for numbered in rows:
            if numbered.queue_id is None or (queues is not None and self._queue(tx, numbered) not in queues):
                continue
            first, last = numbered.row.span or (None, None)
            if first is None or last is None:
                if job is None or job.array_index is None:
                    yield _Moment(numbered, None)
                continue
            if numbered.seq == position.seq and position.array_index is not None:
                first = max(first, position.array_index + 1)
            if job is not None and job.array_index is not None:
                first, last = max(first, job.array_index), min(last, job.array_index)
            for index in range(first, last + 1):
                yield _Moment(numbered, index)

    def _queue(self, tx: Transaction, numbered: NumberedRow) -> str:
        """The name of the queue, which may be gone; the jobs that were in it still know it."""
        assert numbered.queue_id is not None
        name = self._queues.get(numbered.queue_id)
        if name is None:
            name = self._queues[numbered.queue_id] = self._terms.get(tx, numbered.row.job_seq).queue
        return name


class _Telling:
    """Tells the moments of one page, reading the rows behind them in a few queries."""

    def __init__(self, tx: Transaction, context_in: Callable[[Transaction, str], Context], terms: TermsCache) -> None:
        self._tx = tx
        self._context_in = context_in
        self._terms = terms
        self._contexts: dict[str, tuple[Context, Clusters]] = {}
        self._rows: dict[int, JobRow] = {}
        self._ended: dict[JobKey, Job] = {}
        self._attempts: dict[JobKey, list[Attempt]] = {}
        self._tags: dict[str, dict[str, str]] = {}

    def tell(self, moments: Sequence[_Moment]) -> list[JobEvent]:
        """The events, in the order of the moments."""
        self._rows = {row.seq: row for row in self._tx.jobs.get_many(sorted({m.key.seq for m in moments}))}
        self._attempts = self._tx.attempts.of_jobs(m.key for m in moments if m.numbered.row.attempt)
        self._ended = jobs_of(
            self._tx, ((self._rows[m.key.seq], m.key) for m in moments if m.transition.status.is_terminal)
        )
        self._tags = self._tx.tags.get_many(f"job/{row.job_id}" for row in self._rows.values())
        return [self._event(moment) for moment in moments]

    def _event(self, moment: _Moment) -> JobEvent:
        key, transition = moment.key, moment.transition
        row, terms = self._rows[key.seq], self._terms.get(self._tx, key.seq)
        context, clusters = self._context(terms.region)
        attempts = attempts_then(self._attempts.get(key, ()), transition)
        job = job_then(self._job(row, key, transition), transition, attempts)
        if key.array_index is None and row.children is not None:
            updated_at = row.children_updated_at if transition.status.is_terminal else None
            row = row._replace(children=children_then(row.children, transition), children_updated_at=updated_at)
        if terms.service is not None:
            # Without tags and payload, as AWS does it (F 10.1); the row keeps the latest scheduledAt alone.
            detail = service_job_detail(context, row._replace(job=job), terms, attempts)
            detail = {name: value for name, value in detail.items() if name not in _NOT_TOLD}
            unique = event_id(terms.job_id, moment.numbered.seq)
            body = envelope(context, unique, SERVICE_JOB_STATE_CHANGE, transition.at, detail)
            return JobEvent(moment.position, unique, SERVICE_JOB_STATE_CHANGE, body)
        tags = self._tags[f"job/{row.job_id}"] if key.array_index is None else {}
        detail = job_detail(context, clusters, row, job, terms, attempts, tags)
        detail["tags"] = {**tags, "resourceArn": detail["jobArn"]}  # as AWS does it, in events alone (F 10.1)
        unique = event_id(terms.child_id(key.array_index), moment.numbered.seq)
        body = envelope(context, unique, JOB_STATE_CHANGE, transition.at, detail)
        return JobEvent(moment.position, unique, JOB_STATE_CHANGE, body)

    def _job(self, row: JobRow, key: JobKey, transition: Transition) -> Job:
        """The row of now; for a child that has not ended, no more of it than is told."""
        if key.array_index is None:
            return row.job
        if not transition.status.is_terminal:
            return Job(key, transition.status, row.job.created_at)
        return self._ended[key]

    def _context(self, region: str) -> tuple[Context, Clusters]:
        found = self._contexts.get(region)
        if found is None:
            context = self._context_in(self._tx, region)
            found = self._contexts[region] = (context, Clusters(context))
        return found
