"""What is always true of the rows of a yard, after every commit; for tests, the simulation and the doubtful.

Each function looks at all rows together and yields one sentence for everything it finds broken. They repeat nothing of
how the engine gets there: they say what must hold of the result. They cost as much as there are rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from batchyard.core.arrays import Children
from batchyard.core.dependencies import SEQUENTIAL, Edge, assess
from batchyard.core.ids import JobSeq
from batchyard.core.intervals import NOTHING, Indexes, Span
from batchyard.core.jobs import Attempt, Job, JobKey, JobStatus, StopCause

S = JobStatus

_ACTIVE = (S.STARTING, S.RUNNING)
_PARENT_STATUSES = (S.SUBMITTED, S.PENDING, S.SUCCEEDED, S.FAILED)


@dataclass(frozen=True)
class Records:
    """All rows that concern jobs, as they stand together after a commit.

    sizes: of arrays. children: of arrays that have been looked at. child_rows: children that have rows of their own.
    attempts: oldest first. attempts_max: what retryStrategy allows.
    """

    jobs: Mapping[JobSeq, Job]
    sizes: Mapping[JobSeq, int]
    children: Mapping[JobSeq, Children]
    child_rows: Mapping[JobKey, Job]
    attempts: Mapping[JobKey, Sequence[Attempt]]
    attempts_max: Mapping[JobSeq, int]
    edges: Mapping[JobSeq, Sequence[Edge]]

    def schedulable(self) -> Iterator[Job]:
        """Single jobs, and array children that have rows: whatever can have attempts."""
        yield from (job for seq, job in self.jobs.items() if seq not in self.sizes)
        yield from self.child_rows.values()

    @cached_property
    def rows_of(self) -> Mapping[JobSeq, Mapping[int, Job]]:
        """The rows of each array's children, by index."""
        found: dict[JobSeq, dict[int, Job]] = {seq: {} for seq in self.sizes}
        for key, child in self.child_rows.items():
            assert key.array_index is not None
            found[key.seq][key.array_index] = child
        return found

    @cached_property
    def in_status(self) -> Mapping[JobSeq, Mapping[JobStatus, Indexes]]:
        """The children of each array that has been looked at, by status, with rows or without."""
        found: dict[JobSeq, dict[JobStatus, Indexes]] = {}
        for seq, children in self.children.items():
            spans: dict[JobStatus, list[Span]] = {status: [] for status in S}
            for segment in children.segments:
                spans[segment.status].append((segment.first, segment.last))
            for index, child in self.rows_of[seq].items():
                spans[child.status].append((index, index))
            found[seq] = {status: Indexes.of_spans(made) for status, made in spans.items()}
        return found

    def children_in(self, seq: JobSeq, status: JobStatus) -> Indexes:
        """The children in a status, with rows or without; nothing before the array has been looked at."""
        return self.in_status[seq][status] if seq in self.children else NOTHING

    def child_status(self, seq: JobSeq, index: int) -> JobStatus:
        """Where a child stands, with a row or without; SUBMITTED before the array has been looked at."""
        row = self.child_rows.get(JobKey(seq, index))
        if row is not None:
            return row.status
        segment = self.children[seq].segment_of(index) if seq in self.children else None
        return S.SUBMITTED if segment is None else segment.status


def broken(records: Records) -> Iterator[str]:
    """Every sentence of every invariant that does not hold; nothing for a sound yard."""
    for invariant in INVARIANTS:
        yield from invariant(records)


def fields_fit_the_status(records: Records) -> Iterator[str]:
    """stoppedAt exactly at the end, a reason with every failure, a start with everything that runs."""
    for job in [*records.jobs.values(), *records.child_rows.values()]:
        if (job.stopped_at is not None) != job.status.is_terminal:
            yield f"{job.key} is {job.status} with stopped_at {job.stopped_at}"
        if job.status.is_terminal and job.requested_reason is not None:
            yield f"{job.key} has ended and still waits to end for {job.requested_reason!r}"
        if job.status is S.FAILED and job.status_reason is None:
            yield f"{job.key} FAILED and nobody says why"
        if job.status is S.RUNNING and job.started_at is None:
            yield f"{job.key} is RUNNING and never started"
        if job.status in _ACTIVE and (job.attempt < 1 or job.scheduled_at is None):
            yield f"{job.key} is {job.status} without having been placed"


def attempts_fit_the_job(records: Records) -> Iterator[str]:
    """Attempts are numbered from 1 without a gap, one at a time, the last one active exactly while the job is."""
    for job in records.schedulable():
        attempts = records.attempts.get(job.key, ())
        if [attempt.attempt for attempt in attempts] != list(range(1, job.attempt + 1)):
            yield f"{job.key} has begun {job.attempt} attempts, and rows {[a.attempt for a in attempts]}"
        counted = [a for a in attempts if a.stopped_at is None or a.stop_wanted is not StopCause.PREEMPTED]
        if len(counted) > records.attempts_max[job.key.seq]:
            yield f"{job.key} has had {len(counted)} attempts of {records.attempts_max[job.key.seq]}"
        active = [attempt.attempt for attempt in attempts if attempt.stopped_at is None]
        if active != ([job.attempt] if job.status in _ACTIVE else []):
            yield f"{job.key} is {job.status} in attempt {job.attempt}, and active are {active}"
        for attempt in attempts:
            yield from _attempt_fits(job, attempt)


def _attempt_fits(job: Job, attempt: Attempt) -> Iterator[str]:
    name = f"attempt {attempt.attempt} of {job.key}"
    if attempt.stopped_at is None and (attempt.started_at is not None) != (job.status is S.RUNNING):
        yield f"{name} started at {attempt.started_at}, and the job is {job.status}"
    if None not in (attempt.started_at, attempt.stopped_at) and attempt.stopped_at < attempt.started_at:  # type: ignore[operator]
        yield f"{name} ended before it started"
    if attempt.stopped_at is not None and attempt.status_reason is None:
        yield f"{name} ended and nobody says why"
    if attempt.exit_code is not None and attempt.started_at is None:
        yield f"{name} has an exit code and never started"


def every_attempt_has_its_job(records: Records) -> Iterator[str]:
    """No attempt is of a parent, of a child without a row, or of nothing; no id is given twice."""
    known = {job.key for job in records.schedulable()}
    yield from (f"attempts of {key}, which can have none" for key in records.attempts if key not in known)
    ids = [attempt.attempt_id for attempts in records.attempts.values() for attempt in attempts]
    if len(ids) != len(set(ids)):
        yield "two attempts have one id"


def children_add_up(records: Records) -> Iterator[str]:
    """Segments and rows together are all children, each once; the counts count them."""
    for seq, children in records.children.items():
        spans = [(segment.first, segment.last) for segment in children.segments]
        rows = Indexes.of(records.rows_of[seq])
        waiting = Indexes.of_spans(spans)
        if spans != sorted(spans) or len(waiting) != sum(last - first + 1 for first, last in spans):
            yield f"the segments of {seq} are out of order or overlap: {spans}"
        if waiting & rows or (waiting | rows) != Indexes.span(0, children.size - 1):
            yield f"the children of {seq} are not each in a segment or a row: {waiting} and {rows}"
        for before, after in zip(children.segments, children.segments[1:], strict=False):
            if before.last + 1 == after.first and before.is_like(after):
                yield f"neighbouring segments of {seq} are alike: {before} and {after}"
        counted = {status: len(found) for status, found in records.in_status[seq].items() if found}
        if counted != dict(children.counts):
            yield f"the children of {seq} count {dict(children.counts)} and are {counted}"


def parents_follow_their_children(records: Records) -> Iterator[str]:
    """User Guide, Array jobs: a parent is PENDING until every child has ended, and FAILED when one FAILED."""
    for seq in records.sizes:
        parent, children = records.jobs[seq], records.children.get(seq)
        if parent.status not in _PARENT_STATUSES:
            yield f"parent {seq} is {parent.status}"
        if (children is None) != (parent.status is S.SUBMITTED):
            yield f"parent {seq} is {parent.status} with children {children}"
        if children is not None and children.are_finished != parent.status.is_terminal:
            yield f"parent {seq} is {parent.status} with children {dict(children.counts)}"
        if children is not None and parent.status.is_terminal:
            wanted = S.FAILED if children.count(S.FAILED) else S.SUCCEEDED
            if parent.status is not wanted:
                yield f"parent {seq} ended {parent.status} with children {dict(children.counts)}"


def edges_say_what_happened(records: Records) -> Iterator[str]:
    """An edge of a job that has been looked at knows exactly what has become of what it points at."""
    for seq, edges in records.edges.items():
        if records.jobs[seq].status.is_terminal:
            continue
        for edge in edges:
            truth = _truth_of(records, edge)
            if (edge.outcome, edge.succeeded, edge.failed) != truth:
                yield f"{edge} should know {truth}"


def _truth_of(records: Records, edge: Edge) -> tuple[JobStatus | None, Indexes, Indexes]:
    target = records.jobs[edge.on_job_seq]
    status = (
        target.status if edge.on_array_index is None else records.child_status(edge.on_job_seq, edge.on_array_index)
    )
    outcome = status if status.is_terminal else None
    if not edge.is_per_child:
        return outcome, NOTHING, NOTHING
    succeeded = records.children_in(edge.on_job_seq, S.SUCCEEDED)
    failed = records.children_in(edge.on_job_seq, S.FAILED)
    if edge.type == SEQUENTIAL:
        size = records.sizes[edge.job_seq]
        succeeded = succeeded.shifted(1, size) | Indexes.span(0, 0)
        failed = Indexes.span(min(failed) + 1, size - 1) if failed else NOTHING
    return outcome, succeeded, failed


def nothing_runs_before_its_dependencies(records: Records) -> Iterator[str]:
    """Whatever has become RUNNABLE or more had all its dependencies SUCCEEDED; whatever has not still waits for one."""
    for seq, job in records.jobs.items():
        found = assess(records.edges.get(seq, ()), records.sizes.get(seq, 1))
        by_status = records.in_status.get(seq) if seq in records.sizes else {job.status: Indexes.span(0, 0)}
        if by_status is None:
            continue
        if idle := by_status.get(S.PENDING, NOTHING) & (found.ready | found.doomed):
            yield f"{idle} of {seq} are PENDING and wait for nothing"
        for status in (S.RUNNABLE, S.STARTING, S.RUNNING, S.SUCCEEDED):
            if early := by_status.get(status, NOTHING) - found.ready:
                yield f"{early} of {seq} are {status} and a dependency has not SUCCEEDED"
        for key in (JobKey(seq), *(JobKey(seq, index) for index in found.doomed)):
            if found.doomed and records.attempts.get(key):
                yield f"{key} has had an attempt and a dependency FAILED"


INVARIANTS: tuple[Callable[[Records], Iterator[str]], ...] = (
    fields_fit_the_status,
    attempts_fit_the_job,
    every_attempt_has_its_job,
    children_add_up,
    parents_follow_their_children,
    edges_say_what_happened,
    nothing_runs_before_its_dependencies,
)
