"""Array jobs: ten thousand children kept as a handful of intervals.

A child that waits like its neighbours needs no row. The parent carries `Children`: how many children stand in each
status, and *segments*, runs of neighbouring children that are alike and have never been placed. A child leaves its
segment, and gets a row of its own, when it is placed. So submitting, cancelling or failing a whole waiting array
changes one row, and N_TO_N and SEQUENTIAL work on intervals too.

What AWS promises (User Guide, Array jobs): children are numbered from 0 and addressed as `<parent>:<index>`; the
parent reports how many children are in each of the seven states; it SUCCEEDS when all children have, FAILS when all
have ended and one FAILED.

Kept true here: the counts add up to the size; segments are sorted and disjoint; neighbours that are alike are one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from batchyard.core import reasons
from batchyard.core.ids import JobSeq, Millis
from batchyard.core.intervals import Indexes
from batchyard.core.jobs import Job, JobKey, JobStatus

S = JobStatus


@dataclass(frozen=True, slots=True)
class Segment:
    """Children `first` to `last`, never placed, all alike. `status` is PENDING, RUNNABLE or FAILED."""

    first: int
    last: int
    status: JobStatus
    status_reason: str | None = None
    stopped_at: Millis | None = None
    is_cancelled: bool = False
    is_terminated: bool = False
    requested_reason: str | None = None

    def __len__(self) -> int:
        return self.last - self.first + 1

    def is_like(self, other: "Segment") -> bool:
        """Whether the two differ in nothing but their place."""
        return replace(self, first=other.first, last=other.last) == other


@dataclass(frozen=True, slots=True)
class Children:
    """All children of one array. `counts` lacks the statuses that no child is in. max_parallel: how many may be placed
    at once; those that were placed when it was lowered run on."""

    size: int
    counts: Mapping[JobStatus, int]
    segments: tuple[Segment, ...]
    max_parallel: int | None = None

    def count(self, status: JobStatus) -> int:
        """How many children are in `status`."""
        return self.counts.get(status, 0)

    @property
    def available(self) -> int:
        """How many children may be placed now: those that are RUNNABLE, as far as `max_parallel` allows."""
        runnable = self.count(S.RUNNABLE)
        if self.max_parallel is None:
            return runnable
        return max(0, min(runnable, self.max_parallel - self.count(S.STARTING) - self.count(S.RUNNING)))

    @property
    def are_finished(self) -> bool:
        """Whether every child is SUCCEEDED or FAILED."""
        return self.count(S.SUCCEEDED) + self.count(S.FAILED) == self.size

    def waiting(self, status: JobStatus) -> Indexes:
        """The children without a row of their own that are in `status`."""
        return Indexes.of_spans((s.first, s.last) for s in self.segments if s.status is status)

    def segment_of(self, index: int) -> Segment | None:
        """The segment that `index` stands in, or None when the child has a row."""
        low, high = 0, len(self.segments)
        while low < high:
            middle = (low + high) // 2
            segment = self.segments[middle]
            if segment.last < index:
                low = middle + 1
            elif segment.first > index:
                high = middle
            else:
                return segment
        return None


def spawn(size: int, max_parallel: int | None = None) -> Children:
    """The children of a new array, all PENDING (F 4.1: they enter PENDING first)."""
    return Children(size, {S.PENDING: size}, (Segment(0, size - 1, S.PENDING),), max_parallel)


def moved(counts: Mapping[JobStatus, int], source: JobStatus, target: JobStatus, number: int) -> dict[JobStatus, int]:
    """The counts after `number` children went from one status to another."""
    changed = dict(counts)
    left = changed.get(source, 0) - number
    assert left >= 0, f"more children leave {source} than are in it"
    if left:
        changed[source] = left
    else:
        changed.pop(source, None)
    changed[target] = changed.get(target, 0) + number
    return changed


def recount(children: Children, source: JobStatus, target: JobStatus, number: int = 1) -> Children:
    """Children with rows of their own changed status."""
    if source is target:
        return children
    counts = moved(children.counts, source, target, number)
    return Children(children.size, counts, children.segments, children.max_parallel)


def _rebuilt(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Sorted segments with alike neighbours joined."""
    joined: list[Segment] = []
    for segment in segments:
        if joined and joined[-1].last + 1 == segment.first and joined[-1].is_like(segment):
            joined[-1] = replace(joined[-1], last=segment.last)
        else:
            joined.append(segment)
    return tuple(joined)


def take(children: Children, number: int) -> tuple[Children, list[int]]:
    """Take the first `number` RUNNABLE children out of their segments, to be given rows (still RUNNABLE)."""
    taken: list[int] = []
    kept: list[Segment] = []
    for segment in children.segments:
        wanted = number - len(taken)
        if segment.status is not S.RUNNABLE or wanted <= 0:
            kept.append(segment)
            continue
        last = min(segment.last, segment.first + wanted - 1)
        taken.extend(range(segment.first, last + 1))
        if last < segment.last:
            kept.append(replace(segment, first=last + 1))
    return replace(children, segments=tuple(kept)), taken


def child_job(seq: JobSeq, parent: Job, segment: Segment, index: int) -> Job:
    """The row that a child without a row would have."""
    reason = segment.status_reason
    if reason is None and segment.status is S.RUNNABLE:
        reason = parent.status_reason  # why the array cannot be placed holds for each child that waits
    return Job(
        key=JobKey(seq, index),
        status=segment.status,
        created_at=parent.created_at,
        status_reason=reason,
        stopped_at=segment.stopped_at,
        is_cancelled=segment.is_cancelled,
        is_terminated=segment.is_terminated,
        requested_reason=segment.requested_reason,
    )


@dataclass(frozen=True, slots=True)
class Shift:
    """Waiting children `indexes` that went from one status to another together, for one row of history."""

    indexes: Indexes
    source: JobStatus
    target: JobStatus
    reason: str | None = None


def _split(children: Children, indexes: Indexes) -> Iterable[tuple[Segment, bool]]:
    """Every segment, cut at the borders of `indexes`; the flag says whether the piece lies inside."""
    for segment in children.segments:
        whole = Indexes.span(segment.first, segment.last)
        inside = whole & indexes
        if not inside:
            yield segment, False
            continue
        pieces = [(span, True) for span in inside.spans] + [(span, False) for span in (whole - inside).spans]
        for (first, last), is_inside in sorted(pieces):
            yield replace(segment, first=first, last=last), is_inside


def _change(
    children: Children, indexes: Indexes, statuses: Collection[JobStatus], become: Callable[[Segment], Segment]
) -> tuple[Children, list[Shift]]:
    """Turn waiting children inside `indexes` that are in one of `statuses` into what `become` makes of them."""
    counts: Mapping[JobStatus, int] = children.counts
    segments: list[Segment] = []
    shifts: list[Shift] = []
    for segment, inside in _split(children, indexes):
        if not inside or segment.status not in statuses:
            segments.append(segment)
            continue
        changed = become(segment)
        segments.append(changed)
        if changed.status is not segment.status:
            counts = moved(counts, segment.status, changed.status, len(segment))
            span = Indexes.span(segment.first, segment.last)
            shifts.append(Shift(span, segment.status, changed.status, changed.status_reason))
    return replace(children, counts=counts, segments=_rebuilt(segments)), shifts


def _failed(segment: Segment, at: Millis, reason: str | None) -> Segment:
    return replace(segment, status=S.FAILED, status_reason=reason, stopped_at=at, requested_reason=None)


_PENDING = frozenset({S.PENDING})
_WAITING = frozenset({S.PENDING, S.RUNNABLE})


def release(children: Children, indexes: Indexes, at: Millis) -> tuple[Children, list[Shift]]:
    """PENDING children whose dependencies have all succeeded: RUNNABLE, or FAILED if they were cancelled meanwhile."""

    def become(segment: Segment) -> Segment:
        if segment.is_cancelled:
            return _failed(segment, at, segment.requested_reason)
        return replace(segment, status=S.RUNNABLE)

    return _change(children, indexes, _PENDING, become)


def fail(
    children: Children, indexes: Indexes, at: Millis, reason: str, *, is_terminated: bool = False
) -> tuple[Children, list[Shift]]:
    """Waiting children end in FAILED for `reason` without an attempt."""

    def become(segment: Segment) -> Segment:
        return replace(_failed(segment, at, reason), is_terminated=is_terminated)

    return _change(children, indexes, _WAITING, become)


def fail_dependents(
    children: Children, indexes: Indexes, at: Millis, why: str = reasons.DEPENDENT_JOB_FAILED
) -> tuple[Children, list[Shift]]:
    """PENDING children whose dependencies ended so that they can never run; those cancelled meanwhile FAIL with the
    caller's reason."""

    def become(segment: Segment) -> Segment:
        return _failed(segment, at, segment.requested_reason if segment.is_cancelled else why)

    return _change(children, indexes, _PENDING, become)


def cancel(children: Children, indexes: Indexes, at: Millis, reason: str) -> tuple[Children, list[Shift]]:
    """CancelJob: RUNNABLE children FAIL now; PENDING ones are marked and FAIL when their dependencies have finished.

    Those that are marked already keep the first reason.
    """

    def become(segment: Segment) -> Segment:
        if segment.status is S.RUNNABLE:
            return replace(_failed(segment, at, reason), is_cancelled=True)
        return replace(segment, is_cancelled=True, requested_reason=segment.requested_reason or reason)

    return _change(children, indexes, _WAITING, become)
