"""The life of a job: the only source of status.

What AWS promises (User Guide, Job states): SUBMITTED, PENDING while a dependency is open, RUNNABLE while it waits for
capacity, STARTING once placed, RUNNING, then SUCCEEDED or FAILED, from which nothing leads away. A retry goes back to
RUNNABLE, not to SUBMITTED. Cancelling and terminating end in FAILED; there is no other end.

`TRANSITIONS` is that machine as data: for an event and the status it meets, the statuses it may lead to. The diagram
in docs/states.md is drawn from it. `decide` is the machine at work: given the rows and an event it returns the rows
as they must become. It changes nothing itself, and a pair that the table lacks raises `InvalidTransition` and leaves
everything as it was.

Three odd corners, each AWS's own:

* CancelJob on a PENDING job is accepted at once and takes effect when its dependencies have finished (API Reference,
  CancelJob): the job stays PENDING with isCancelled true, and then FAILS with the caller's reason.
* CancelJob on a STARTING or RUNNING job does nothing and succeeds; TerminateJob there marks the attempt for stopping,
  and the attempt's exit then ends the job.
* A request for a job that has already ended does nothing and succeeds (`decide` returns the job unchanged).

Array parents follow `PARENT_TRANSITIONS`: they are only ever SUBMITTED, PENDING, SUCCEEDED or FAILED. What is asked of
a parent, or befalls its dependencies, is kept as the reason with which it will FAIL once its last child has ended.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from batchyard.core import events as e
from batchyard.core import reasons
from batchyard.core.ids import Millis
from batchyard.core.jobs import Attempt, Job, JobStatus, StopCause, Terms
from batchyard.core.retries import is_retried

S = JobStatus
Targets = Mapping[JobStatus, frozenset[JobStatus]]


def _to(*statuses: JobStatus) -> frozenset[JobStatus]:
    return frozenset(statuses)


TRANSITIONS: Mapping[type[e.Event], Targets] = {
    e.DependenciesFoundOpen: {S.SUBMITTED: _to(S.PENDING)},
    e.DependenciesSucceeded: {S.SUBMITTED: _to(S.RUNNABLE), S.PENDING: _to(S.RUNNABLE, S.FAILED)},
    e.DependencyFailed: {S.SUBMITTED: _to(S.FAILED), S.PENDING: _to(S.FAILED)},
    e.JobPlaced: {S.RUNNABLE: _to(S.STARTING)},
    e.JobBlocked: {S.RUNNABLE: _to(S.RUNNABLE)},
    e.AttemptReturned: {S.STARTING: _to(S.RUNNABLE, S.FAILED)},
    e.AttemptStarted: {S.STARTING: _to(S.RUNNING)},
    e.AttemptExited: {
        S.STARTING: _to(S.SUCCEEDED, S.FAILED, S.RUNNABLE),
        S.RUNNING: _to(S.SUCCEEDED, S.FAILED, S.RUNNABLE),
    },
    e.AttemptLost: {S.STARTING: _to(S.FAILED, S.RUNNABLE), S.RUNNING: _to(S.FAILED, S.RUNNABLE)},
    e.TimeoutReached: {S.RUNNING: _to(S.RUNNING)},
    e.HostReplaced: {S.STARTING: _to(S.STARTING), S.RUNNING: _to(S.RUNNING)},
    e.PreemptionDecided: {S.STARTING: _to(S.STARTING), S.RUNNING: _to(S.RUNNING)},
    e.CancelRequested: {
        S.SUBMITTED: _to(S.FAILED),
        S.PENDING: _to(S.PENDING),
        S.RUNNABLE: _to(S.FAILED),
        S.STARTING: _to(S.STARTING),
        S.RUNNING: _to(S.RUNNING),
    },
    e.TerminateRequested: {
        S.SUBMITTED: _to(S.FAILED),
        S.PENDING: _to(S.FAILED),
        S.RUNNABLE: _to(S.FAILED),
        S.STARTING: _to(S.STARTING),
        S.RUNNING: _to(S.RUNNING),
    },
    e.QueueDeleted: {
        S.SUBMITTED: _to(S.FAILED),
        S.PENDING: _to(S.FAILED),
        S.RUNNABLE: _to(S.FAILED),
        S.STARTING: _to(S.STARTING),
        S.RUNNING: _to(S.RUNNING),
    },
}
"""For a single job and for an array child."""

PARENT_TRANSITIONS: Mapping[type[e.Event], Targets] = {
    e.ChildrenSpawned: {S.SUBMITTED: _to(S.PENDING)},
    e.DependencyFailed: {S.PENDING: _to(S.PENDING)},
    e.JobBlocked: {S.PENDING: _to(S.PENDING)},
    e.CancelRequested: {S.PENDING: _to(S.PENDING)},
    e.TerminateRequested: {S.PENDING: _to(S.PENDING)},
    e.QueueDeleted: {S.PENDING: _to(S.PENDING)},
    e.ChildrenFinished: {S.PENDING: _to(S.SUCCEEDED, S.FAILED)},
}
"""For the parent of an array."""

_REQUESTS = (e.CancelRequested, e.TerminateRequested, e.QueueDeleted)


class InvalidTransition(Exception):
    """A bug: an event met a status that the table does not know for it. Carries the job as it stood."""

    def __init__(self, job: Job, event: e.Event, target: JobStatus | None = None) -> None:
        way = f" to {target}" if target else ""
        super().__init__(f"{type(event).__name__} cannot move {job.status} job {job.key}{way}: {job!r} on {event!r}")
        self.job = job
        self.event = event


@dataclass(frozen=True, slots=True)
class Decision:
    """The rows as they must become; `attempt` is None where the event concerns none."""

    job: Job
    attempt: Attempt | None = None


def decide(job: Job, event: e.Event, terms: Terms | None = None, attempt: Attempt | None = None) -> Decision:
    """What becomes of a single job or array child, and of its current attempt, when `event` happens.

    terms: needed for events that end an attempt or place one. attempt: the current attempt; needed for every event of
    an attempt. For `JobPlaced` the caller makes the attempt row; only the job is decided here.
    Raises InvalidTransition, with nothing changed, for a pair that the table lacks.
    """
    if job.status.is_terminal and isinstance(event, _REQUESTS):
        return Decision(job, attempt)
    allowed = TRANSITIONS[type(event)].get(job.status)
    if allowed is None:
        raise InvalidTransition(job, event)
    decision = _RULES[type(event)](job, event, terms, attempt)
    if decision.job.status not in allowed:
        raise InvalidTransition(job, event, decision.job.status)
    return decision


def decide_parent(parent: Job, event: e.Event) -> Job:
    """What becomes of an array parent itself when `event` happens; its children are decided in core.arrays."""
    if parent.status.is_terminal and isinstance(event, _REQUESTS):
        return parent
    allowed = PARENT_TRANSITIONS[type(event)].get(parent.status)
    if allowed is None:
        raise InvalidTransition(parent, event)
    decided = _decide_parent(parent, event)
    if decided.status not in allowed:
        raise InvalidTransition(parent, event, decided.status)
    return decided


def failed(job: Job, at: Millis, reason: str | None) -> Job:
    """The job, ended in FAILED for `reason`."""
    return job._replace(status=S.FAILED, status_reason=reason, stopped_at=at, requested_reason=None)


# ------------------------------------------------------------------------------------------ waiting and placing


def _found_open(job: Job, _event: Any, _terms: Any, attempt: Attempt | None) -> Decision:
    return Decision(job._replace(status=S.PENDING), attempt)


def _dependencies_succeeded(job: Job, event: e.Event, _terms: Any, attempt: Attempt | None) -> Decision:
    if job.is_cancelled:
        return Decision(failed(job, event.at, job.requested_reason), attempt)
    return Decision(job._replace(status=S.RUNNABLE), attempt)


def _dependency_failed(job: Job, event: e.DependencyFailed, _terms: Any, attempt: Attempt | None) -> Decision:
    reason = job.requested_reason if job.is_cancelled else event.reason
    return Decision(failed(job, event.at, reason), attempt)


def _placed(job: Job, event: e.Event, _terms: Any, attempt: Attempt | None) -> Decision:
    placed = job._replace(status=S.STARTING, status_reason=None, scheduled_at=event.at, attempt=job.attempt + 1)
    return Decision(placed, attempt)


def _blocked(job: Job, event: e.JobBlocked, _terms: Any, attempt: Attempt | None) -> Decision:
    return Decision(job._replace(status_reason=event.reason), attempt)


# ------------------------------------------------------------------------------------------ an attempt's life


def _returned(job: Job, event: e.Event, _terms: Any, attempt: Attempt | None) -> Decision:
    assert attempt is not None
    back = job._replace(status=S.RUNNABLE, scheduled_at=None, attempt=job.attempt - 1)
    if _is_ended_for_good(attempt):
        return Decision(failed(back, event.at, _stop_reason(job, attempt)), attempt)
    return Decision(back, attempt)


def _started(job: Job, event: e.Event, terms: Terms | None, attempt: Attempt | None) -> Decision:
    assert attempt is not None
    assert terms is not None
    limit_seconds = terms.resolved.attempt_duration_seconds
    due_at = None if limit_seconds is None else Millis(event.at + 1000 * limit_seconds)
    running = job._replace(status=S.RUNNING, started_at=event.at)
    return Decision(running, attempt._replace(started_at=event.at, due_at=due_at))


def _exited(job: Job, event: e.AttemptExited, terms: Terms | None, attempt: Attempt | None) -> Decision:
    assert attempt is not None
    started_at = event.started_at if event.started_at is not None else attempt.started_at
    ended = attempt._replace(
        started_at=started_at,
        stopped_at=event.at,
        exit_code=event.exit_code,
        reason=event.reason,
        status_reason=_end_of_attempt(event, terms),
    )
    if started_at is not None:
        job = job._replace(started_at=started_at)
    # A training program that is told to stop saves what it has and exits with 0: it has not succeeded.
    is_stopped = _is_ended_for_good(attempt) or attempt.stop_wanted is StopCause.PREEMPTED
    if event.exit_code == 0 and not is_stopped:
        done = job._replace(status=S.SUCCEEDED, status_reason=ended.status_reason, stopped_at=event.at)
        return Decision(done, ended)
    return _after_failure(job, event.at, terms, ended)


def _end_of_attempt(event: e.AttemptExited, terms: Terms | None) -> str:
    if terms is not None and terms.service is not None:
        succeeded = event.exit_code == 0
        return reasons.TRAINING_COMPLETED if succeeded else reasons.training_failed(event.reason, event.exit_code)
    return reasons.TASK_FAILED_TO_START if event.failed_to_start else reasons.ESSENTIAL_CONTAINER_EXITED


def _lost(job: Job, event: e.AttemptLost, terms: Terms | None, attempt: Attempt | None) -> Decision:
    assert attempt is not None
    is_training = terms is not None and terms.service is not None
    ended = attempt._replace(
        started_at=event.started_at if event.started_at is not None else attempt.started_at,
        stopped_at=event.at,
        status_reason=reasons.TRAINING_LOST if is_training else reasons.host_terminated(attempt.instance_id),
    )
    return _after_failure(job._replace(started_at=ended.started_at or job.started_at), event.at, terms, ended)


def _after_failure(job: Job, at: Millis, terms: Terms | None, ended: Attempt) -> Decision:
    """A failed attempt: FAILED if it was ended for good (F 5.1: never retried), else what the retry strategy says.

    An attempt whose host was replaced under it counts as lost with its host, whatever its exit code.
    """
    assert terms is not None
    if ended.stop_wanted is StopCause.PREEMPTED:
        return _after_preemption(job, at, terms, ended._replace(status_reason=reasons.TRAINING_PREEMPTED))
    if _is_ended_for_good(ended):
        ended = ended._replace(status_reason=_stop_reason(job, ended))
        return Decision(failed(job, at, ended.status_reason), ended)
    if ended.stop_wanted is StopCause.HOST_TERMINATED:
        reason = reasons.host_terminated(ended.instance_id)
        ended = ended._replace(exit_code=None, reason=None, status_reason=reason)
    retried = is_retried(
        terms.resolved.retry_strategy,
        ended.attempt - terms.preempted,
        exit_code=ended.exit_code,
        reason=ended.reason,
        status_reason=ended.status_reason,
    )
    if retried:
        return Decision(job._replace(status=S.RUNNABLE, status_reason=None, scheduled_at=None), ended)
    return Decision(failed(job, at, ended.status_reason), ended)


def _after_preemption(job: Job, at: Millis, terms: Terms, ended: Attempt) -> Decision:
    """A preempted attempt costs no retry; the job waits again unless it has been preempted too often (User Guide,
    Preemption). `terms.preempted` does not count this one."""
    configuration = (terms.service.preemption_configuration if terms.service is not None else None) or {}
    limit = configuration.get("preemptionRetriesBeforeTermination")
    if limit is not None and terms.preempted >= limit:
        return Decision(failed(job, at, ended.status_reason), ended)
    return Decision(job._replace(status=S.RUNNABLE, status_reason=None, scheduled_at=None), ended)


def _stop_reason(job: Job, attempt: Attempt) -> str | None:
    return reasons.TIMED_OUT if attempt.stop_wanted is StopCause.TIMED_OUT else job.requested_reason


def _is_ended_for_good(attempt: Attempt) -> bool:
    """Whether somebody or a timeout wants the job itself ended, not only this attempt."""
    return attempt.stop_wanted in (StopCause.TERMINATED, StopCause.TIMED_OUT)


def _host_replaced(job: Job, _event: e.Event, _terms: Any, attempt: Attempt | None) -> Decision:
    assert attempt is not None
    if attempt.stop_wanted is None:
        attempt = attempt._replace(stop_wanted=StopCause.HOST_TERMINATED)
    return Decision(job, attempt)


def _preemption_decided(job: Job, _event: e.Event, _terms: Any, attempt: Attempt | None) -> Decision:
    assert attempt is not None
    if attempt.stop_wanted is None:
        attempt = attempt._replace(stop_wanted=StopCause.PREEMPTED)
    return Decision(job, attempt)


def _timeout_reached(job: Job, _event: e.Event, _terms: Any, attempt: Attempt | None) -> Decision:
    assert attempt is not None
    if attempt.stop_wanted is None:
        attempt = attempt._replace(stop_wanted=StopCause.TIMED_OUT)
    return Decision(job, attempt)


# ------------------------------------------------------------------------------------------ requests


def _cancel_requested(job: Job, event: e.CancelRequested, _terms: Any, attempt: Attempt | None) -> Decision:
    if job.status in (S.STARTING, S.RUNNING):
        return Decision(job, attempt)
    cancelled = job._replace(is_cancelled=True, requested_reason=job.requested_reason or event.reason)
    if job.status is S.PENDING:
        return Decision(cancelled, attempt)
    return Decision(failed(cancelled, event.at, event.reason), attempt)


def _terminate_requested(job: Job, event: e.TerminateRequested, _terms: Any, attempt: Attempt | None) -> Decision:
    return _end(job._replace(is_terminated=True), event.at, event.reason, attempt)


def _queue_deleted(job: Job, event: e.Event, _terms: Any, attempt: Attempt | None) -> Decision:
    return _end(job._replace(is_terminated=True), event.at, reasons.JOB_QUEUE_DELETED, attempt)


def _end(job: Job, at: Millis, reason: str, attempt: Attempt | None) -> Decision:
    """End a job now, or have its attempt stopped; the first reason given stays."""
    if job.status not in (S.STARTING, S.RUNNING):
        return Decision(failed(job, at, reason), attempt)
    assert attempt is not None
    if _is_ended_for_good(attempt):
        return Decision(job, attempt)
    return Decision(job._replace(requested_reason=reason), attempt._replace(stop_wanted=StopCause.TERMINATED))


_RULES: Mapping[type[e.Event], Callable[[Job, Any, Terms | None, Attempt | None], Decision]] = {
    e.DependenciesFoundOpen: _found_open,
    e.DependenciesSucceeded: _dependencies_succeeded,
    e.DependencyFailed: _dependency_failed,
    e.JobPlaced: _placed,
    e.JobBlocked: _blocked,
    e.AttemptReturned: _returned,
    e.AttemptStarted: _started,
    e.AttemptExited: _exited,
    e.AttemptLost: _lost,
    e.TimeoutReached: _timeout_reached,
    e.HostReplaced: _host_replaced,
    e.PreemptionDecided: _preemption_decided,
    e.CancelRequested: _cancel_requested,
    e.TerminateRequested: _terminate_requested,
    e.QueueDeleted: _queue_deleted,
}


# ------------------------------------------------------------------------------------------ parents


def _decide_parent(parent: Job, event: e.Event) -> Job:
    match event:
        case e.ChildrenSpawned():
            return parent._replace(status=S.PENDING)
        case e.DependencyFailed():
            return parent._replace(requested_reason=parent.requested_reason or event.reason)
        case e.JobBlocked():
            return parent._replace(status_reason=event.reason)
        case e.CancelRequested():
            return parent._replace(is_cancelled=True, requested_reason=parent.requested_reason or event.reason)
        case e.TerminateRequested():
            return parent._replace(is_terminated=True, requested_reason=parent.requested_reason or event.reason)
        case e.QueueDeleted():
            reason = parent.requested_reason or reasons.JOB_QUEUE_DELETED
            return parent._replace(is_terminated=True, requested_reason=reason)
        case e.ChildrenFinished():
            return _parent_finished(parent, event)
    raise InvalidTransition(parent, event)


def _parent_finished(parent: Job, event: e.ChildrenFinished) -> Job:
    if not event.failed:
        return parent._replace(status=S.SUCCEEDED, stopped_at=event.at, status_reason=None, requested_reason=None)
    return failed(parent, event.at, parent.requested_reason or reasons.ARRAY_CHILD_FAILED)
