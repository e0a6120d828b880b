"""dependsOn: what a job waits for, and what becomes of it when those jobs end.

The three forms (User Guide, Job dependencies and Array jobs): a plain dependency waits for a whole job, or for one
array child; N_TO_N lets child i wait for child i of another array; SEQUENTIAL lets child i wait for child i - 1 of its
own array. All wait for success: a dependency that FAILED fails what waits for it, with `Dependent Job failed`, and so
on along the chain.

Beyond AWS, the plain dependencies of a job may be of two other types, by its tag `batchyard:after`: AFTER_ANY waits for
an end, whatever it is; AFTER_FAILURE for the end of all of them, one of which must have FAILED.

An `Edge` is one entry of dependsOn. For the two forms that work child by child it remembers, as intervals, which
children's partners have succeeded and which have failed, so an array of any size is judged by a few set operations.
A SEQUENTIAL edge points at its own array and is an N_TO_N edge moved by one, with child 0 free from the start.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from batchyard.core import reasons
from batchyard.core.ids import JobSeq
from batchyard.core.intervals import NOTHING, Indexes
from batchyard.core.jobs import JobStatus

N_TO_N = "N_TO_N"
SEQUENTIAL = "SEQUENTIAL"
AFTER_ANY = "AFTER_ANY"
AFTER_FAILURE = "AFTER_FAILURE"


@dataclass(frozen=True, slots=True)
class Edge:
    """`job_seq` waits for `on_job_seq`. outcome: SUCCEEDED or FAILED once nothing more can come of it."""

    job_seq: JobSeq
    position: int
    type: str | None
    on_job_seq: JobSeq
    on_array_index: int | None = None
    outcome: JobStatus | None = None
    succeeded: Indexes = NOTHING
    failed: Indexes = NOTHING

    @property
    def is_per_child(self) -> bool:
        """Whether it lets children go one by one."""
        return self.type == N_TO_N or self.type == SEQUENTIAL

    def owned_by(self, seq: JobSeq) -> "Edge":
        """The edge of job `seq`, once that job has its number; a SEQUENTIAL edge points at its own job."""
        return replace(self, job_seq=seq, on_job_seq=seq if self.type == SEQUENTIAL else self.on_job_seq)


class Finished(NamedTuple):
    """What ended of one job within a tick: children by index, and the job itself if `outcome` is set."""

    succeeded: Indexes = NOTHING
    failed: Indexes = NOTHING
    outcome: JobStatus | None = None


def observe(edge: Edge, finished: Finished, size: int) -> Edge:
    """The edge after some of what it waits for has ended; `size` is that of the waiting array (1 for a single job)."""
    if not edge.is_per_child:
        return _observe_plain(edge, finished)
    succeeded, failed = finished.succeeded, finished.failed
    if edge.type == SEQUENTIAL:
        succeeded = succeeded.shifted(1, size)
        # Whatever follows a failed child can never run: the chain fails to its end at once.
        failed = Indexes.span(min(failed) + 1, size - 1) if failed else NOTHING
    return replace(edge, succeeded=edge.succeeded | succeeded, failed=edge.failed | failed, outcome=finished.outcome)


def _observe_plain(edge: Edge, finished: Finished) -> Edge:
    if edge.on_array_index is None:
        return replace(edge, outcome=finished.outcome)
    if edge.on_array_index in finished.succeeded:
        return replace(edge, outcome=JobStatus.SUCCEEDED)
    if edge.on_array_index in finished.failed:
        return replace(edge, outcome=JobStatus.FAILED)
    return edge


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a job's edges say together. `ready` and `doomed` are array indexes: may run, can never run. has_failed: the
    plain edges have doomed the whole job; `reason` says why."""

    is_open: bool
    has_failed: bool
    ready: Indexes
    doomed: Indexes
    reason: str = reasons.DEPENDENT_JOB_FAILED


def assess(edges: Sequence[Edge], size: int = 1) -> Assessment:
    """Judge all edges of one job. For a single job `ready` is index 0 exactly when nothing is open or failed."""
    everything = Indexes.span(0, size - 1)
    ready, doomed = everything, NOTHING
    plain = [edge for edge in edges if not edge.is_per_child]
    has_failed = any(edge.outcome is JobStatus.FAILED and edge.type is None for edge in plain)
    is_spared = _is_spared([edge.outcome for edge in plain if edge.type == AFTER_FAILURE])
    is_open = any(edge.outcome is None for edge in plain)
    for edge in edges:
        if edge.is_per_child:
            ready = ready & edge.succeeded
            doomed = doomed | edge.failed
    if has_failed or is_spared:
        doomed = everything
    if is_open or has_failed:
        ready = NOTHING
    reason = reasons.DEPENDENT_JOB_FAILED if has_failed or not is_spared else reasons.NO_DEPENDENT_JOB_FAILED
    return Assessment(is_open, has_failed or is_spared, ready - doomed, doomed, reason)


def _is_spared(outcomes: Sequence[JobStatus | None]) -> bool:
    """Whether a failure that a job was to run after has not come about."""
    return bool(outcomes) and all(outcome is JobStatus.SUCCEEDED for outcome in outcomes)
