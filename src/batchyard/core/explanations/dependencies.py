"""What a PENDING job waits for: jobs that have to succeed first, in any of the three forms of dependsOn, or to end."""

from collections.abc import Sequence, Set
from typing import NamedTuple

from batchyard.core.batchyard_tags import AFTER
from batchyard.core.dependencies import AFTER_ANY, AFTER_FAILURE, N_TO_N, SEQUENTIAL, Edge
from batchyard.core.explanations.causes import Cause, Explanation, Facts, Mention, counted, listed
from batchyard.core.jobs import JobKey, JobStatus

_NAMED_MAX = 3
_FORMS = {N_TO_N: "the child of the same index", SEQUENTIAL: "the child before it"}


class OpenDependency(NamedTuple):
    """A job that has to succeed first (type: None, N_TO_N or SEQUENTIAL), or to end (AFTER_ANY, AFTER_FAILURE)."""

    job: Mention
    type: str | None

    @property
    def facts(self) -> Facts:
        """Which, and where it is."""
        return {**self.job.facts, "type": self.type} if self.type else self.job.facts

    def __str__(self) -> str:
        form = f", {_FORMS[self.type]} ({self.type})," if self.type in _FORMS else ""
        return f"{self.job}{form} is {self.job.status or 'not done'}"


def open_edges(edges: Sequence[Edge], array_index: int | None) -> list[tuple[JobKey, str | None]]:
    """What a job, or the child of an array, still waits for, in the order given."""
    found: list[tuple[JobKey, str | None]] = []
    for edge in edges:
        if not edge.is_per_child:
            if edge.outcome is None:
                found.append((JobKey(edge.on_job_seq, edge.on_array_index), edge.type))
        elif array_index is not None and array_index not in edge.succeeded:
            if edge.type == N_TO_N:
                found.append((JobKey(edge.on_job_seq, array_index), N_TO_N))
            elif array_index > 0:
                found.append((JobKey(edge.on_job_seq, array_index - 1), SEQUENTIAL))
    return found


def failed_edges(edges: Sequence[Edge], array_index: int | None) -> list[tuple[JobKey, str | None]]:
    """What a job, or the child of an array, has waited for in vain."""
    found: list[tuple[JobKey, str | None]] = []
    for edge in edges:
        if not edge.is_per_child:
            if edge.outcome is JobStatus.FAILED and edge.type is None:
                found.append((JobKey(edge.on_job_seq, edge.on_array_index), None))
        elif array_index is not None and array_index in edge.failed:
            partner = array_index if edge.type == N_TO_N else array_index - 1
            found.append((JobKey(edge.on_job_seq, partner), edge.type))
    return found


def has_its_failure(edges: Sequence[Edge]) -> bool:
    """Whether a job that runs after a failure has one already, and waits for the others to end."""
    return any(edge.type == AFTER_FAILURE and edge.outcome is JobStatus.FAILED for edge in edges)


def explain(
    waits_for: Sequence[OpenDependency], *, is_cancelled: bool = False, has_failure: bool = False
) -> Explanation:
    """Why a job is PENDING. has_failure: what `has_its_failure` says."""
    facts = {"dependencies": [each.facts for each in waits_for]}
    named = listed([str(each) for each in waits_for[:_NAMED_MAX]])
    more = len(waits_for) - _NAMED_MAX
    rest = f", and {counted(more, 'more job')}" if more > 0 else ""
    if is_cancelled:
        until = f": {named}{rest}" if named else ""
        sentence = f"It has been cancelled, and FAILS when the jobs that it depends on have ended{until}."
        return Explanation(Cause.CANCELLED, sentence, (), facts)
    if not waits_for:
        return Explanation(Cause.SUBMITTED, "It has just been submitted: its dependencies are being looked at.")
    details = tuple(f"{str(each)[:1].upper()}{str(each)[1:]}." for each in waits_for) if more > 0 else ()
    opening = _opening({each.type for each in waits_for}, has_failure=has_failure)
    return Explanation(Cause.DEPENDENCY, f"{opening}: {named}{rest}.", details, facts)


def _opening(types: Set[str | None], *, has_failure: bool) -> str:
    if types.isdisjoint((AFTER_ANY, AFTER_FAILURE)):
        return "It depends on jobs that have not succeeded yet"
    if types == {AFTER_ANY}:
        return f"It runs after jobs that have not ended yet ({AFTER} any)"
    if types == {AFTER_FAILURE}:
        failed = "one has failed, and not all have ended yet" if has_failure else "none has failed yet"
        return f"It runs after a failure among jobs of which {failed} ({AFTER} failure)"
    return "It depends on jobs that have not ended yet, some of which have to succeed"
