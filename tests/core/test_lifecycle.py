"""The transition table, pair by pair, and what each pair does to the rows."""

import itertools
from dataclasses import fields
from typing import Any

import pytest

from batchyard.core import events as e
from batchyard.core import reasons
from batchyard.core.jobs import Job, JobStatus, StopCause
from batchyard.core.lifecycle import PARENT_TRANSITIONS, TRANSITIONS, InvalidTransition, decide, decide_parent
from batchyard.core.training import ServiceTerms, read_training_request
from tests.core.rows import NOW, attempt, job, terms

S = JobStatus

_FIELDS: dict[str, Any] = {
    "at": NOW,
    "attempt_id": "b" * 32,
    "compute_environment": "default",
    "instance_id": "i-1",
    "reason": "because",
    "exit_code": 1,
    "started_at": None,
    "failed_to_start": False,
    "failed": True,
}
_REQUESTS = (e.CancelRequested, e.TerminateRequested, e.QueueDeleted)


def event(kind: type[e.Event], **given: Any) -> e.Event:
    return kind(**{field.name: given.get(field.name, _FIELDS[field.name]) for field in fields(kind)})


def names(pairs: Any) -> list[str]:
    return [f"{kind.__name__}-{status}" for kind, status in pairs]


ALLOWED = [(kind, status) for kind, targets in TRANSITIONS.items() for status in targets]
FORBIDDEN = [
    (kind, status)
    for kind, status in itertools.product(TRANSITIONS, S)
    if status not in TRANSITIONS[kind] and not (status.is_terminal and kind in _REQUESTS)
]


@pytest.mark.parametrize(("kind", "status"), ALLOWED, ids=names(ALLOWED))
@pytest.mark.parametrize("exit_code", [0, 1, None])
@pytest.mark.parametrize("stop_wanted", [None, *StopCause])
def test_what_is_allowed_ends_where_the_table_says(
    kind: type[e.Event], status: JobStatus, exit_code: int | None, stop_wanted: StopCause | None
) -> None:
    before = job(status, requested_reason="asked" if stop_wanted else None)
    active = attempt(stop_wanted=stop_wanted, started_at=600 if status is S.RUNNING else None)
    decision = decide(before, event(kind, exit_code=exit_code), terms(attempts=2), active)
    assert decision.job.status in TRANSITIONS[kind][status]
    assert (decision.job.stopped_at is not None) == decision.job.status.is_terminal


@pytest.mark.parametrize(("kind", "status"), FORBIDDEN, ids=names(FORBIDDEN))
def test_what_the_table_lacks_raises_and_changes_nothing(kind: type[e.Event], status: JobStatus) -> None:
    before, active = job(status), attempt()
    copies = (Job(*before), type(active)(*active))
    with pytest.raises(InvalidTransition) as caught:
        decide(before, event(kind), terms(), active)
    assert (before, active) == copies
    assert caught.value.job is before


@pytest.mark.parametrize("kind", _REQUESTS)
@pytest.mark.parametrize("status", [S.SUCCEEDED, S.FAILED])
def test_requests_for_what_has_ended_do_nothing(kind: type[e.Event], status: JobStatus) -> None:
    before = job(status)
    assert decide(before, event(kind)).job is before
    assert decide_parent(before, event(kind)) is before


def test_nothing_leads_out_of_an_end() -> None:
    for targets in [*TRANSITIONS.values(), *PARENT_TRANSITIONS.values()]:
        assert not {S.SUCCEEDED, S.FAILED} & targets.keys()


def test_every_status_can_be_reached_and_every_event_is_known() -> None:
    reached = {target for targets in TRANSITIONS.values() for found in targets.values() for target in found}
    assert reached | {S.SUBMITTED} == set(S)
    known = {kind for kind in vars(e).values() if isinstance(kind, type) and issubclass(kind, e.Event)} - {e.Event}
    assert known == TRANSITIONS.keys() | PARENT_TRANSITIONS.keys()


# ------------------------------------------------------------------------------------------------------------- parents

PARENT_PAIRS = list(itertools.product(PARENT_TRANSITIONS, S))


@pytest.mark.parametrize(("kind", "status"), PARENT_PAIRS, ids=names(PARENT_PAIRS))
def test_parents_follow_their_own_table(kind: type[e.Event], status: JobStatus) -> None:
    before = job(status)
    if status in PARENT_TRANSITIONS[kind]:
        assert decide_parent(before, event(kind)).status in PARENT_TRANSITIONS[kind][status]
    elif status.is_terminal and kind in _REQUESTS:
        assert decide_parent(before, event(kind)) is before
    else:
        with pytest.raises(InvalidTransition):
            decide_parent(before, event(kind))


def test_a_parent_fails_with_the_first_reason_it_was_given() -> None:
    parent = decide_parent(job(S.PENDING), e.CancelRequested(NOW, "first"))
    parent = decide_parent(parent, e.TerminateRequested(NOW, "second"))
    assert (parent.is_cancelled, parent.is_terminated) == (True, True)
    assert decide_parent(parent, e.ChildrenFinished(NOW, failed=True)).status_reason == "first"
    assert decide_parent(job(S.PENDING), e.ChildrenFinished(NOW, failed=True)).status_reason == "Array Child Job failed"


def test_a_cancelled_parent_whose_children_all_succeed_has_succeeded() -> None:
    parent = decide_parent(job(S.PENDING), e.CancelRequested(NOW, "too late"))
    ended = decide_parent(parent, e.ChildrenFinished(NOW, failed=False))
    assert (ended.status, ended.status_reason, ended.requested_reason) == (S.SUCCEEDED, None, None)


# ------------------------------------------------------------------------------------------------ the life of attempts


def test_a_job_lives_from_placement_to_success() -> None:
    placed = decide(job(S.RUNNABLE, status_reason="blocked"), event(e.JobPlaced)).job
    assert (placed.status, placed.attempt, placed.scheduled_at, placed.status_reason) == (S.STARTING, 1, NOW, None)
    running = decide(placed, e.AttemptStarted(1100), terms(timeout_seconds=60), attempt())
    assert running.job.started_at == 1100
    assert running.attempt is not None
    assert (running.attempt.started_at, running.attempt.due_at) == (1100, 61_100)
    done = decide(running.job, e.AttemptExited(1200, 0), terms(), running.attempt)
    assert (done.job.status, done.job.stopped_at) == (S.SUCCEEDED, 1200)
    assert done.job.status_reason == "Essential container in task exited"
    assert done.attempt is not None
    assert (done.attempt.exit_code, done.attempt.stopped_at) == (0, 1200)


def test_an_exit_without_a_report_of_the_start_brings_the_start_along() -> None:
    decision = decide(job(S.STARTING), e.AttemptExited(1200, 0, started_at=1100), terms(), attempt())
    assert decision.job.started_at == 1100
    assert decision.attempt is not None
    assert decision.attempt.started_at == 1100


@pytest.mark.parametrize(
    ("ended", "reason"),
    [
        (e.AttemptExited(NOW, 1), "Essential container in task exited"),
        (e.AttemptExited(NOW, None, "no such file", failed_to_start=True), "Task failed to start"),
        (e.AttemptLost(NOW), "Host EC2 (instance i-1) terminated."),
    ],
)
def test_a_failed_attempt_is_retried_or_says_why_it_was_the_last(ended: e.Event, reason: str) -> None:
    again = decide(job(S.RUNNING), ended, terms(attempts=2), attempt())
    assert (again.job.status, again.job.status_reason, again.job.attempt) == (S.RUNNABLE, None, 1)
    assert again.attempt is not None
    assert again.attempt.status_reason == reason
    last = decide(job(S.RUNNING), ended, terms(attempts=1), attempt())
    assert (last.job.status, last.job.status_reason) == (S.FAILED, reason)


@pytest.mark.parametrize("ended", [e.AttemptExited(NOW, 0), e.AttemptExited(NOW, 143), e.AttemptLost(NOW)])
@pytest.mark.parametrize(
    ("cause", "reason"), [(StopCause.TERMINATED, "stop it"), (StopCause.TIMED_OUT, reasons.TIMED_OUT)]
)
def test_what_we_stopped_is_never_retried_whatever_it_exits_with(ended: e.Event, cause: StopCause, reason: str) -> None:
    before = job(S.RUNNING, requested_reason="stop it")
    decision = decide(before, ended, terms(attempts=5), attempt(stop_wanted=cause))
    assert (decision.job.status, decision.job.status_reason) == (S.FAILED, reason)


def preemptible(preempted: int, limit: int | None) -> Any:
    configuration = None if limit is None else {"preemptionRetriesBeforeTermination": limit}
    service = ServiceTerms("{}", read_training_request({}, "train"), preemption_configuration=configuration)
    return terms(attempts=1, service=service, preempted=preempted)


@pytest.mark.parametrize("ended", [e.AttemptExited(NOW, 0), e.AttemptExited(NOW, 143), e.AttemptLost(NOW)])
@pytest.mark.parametrize(
    ("preempted", "limit", "ends"), [(0, None, False), (9, None, False), (1, 2, False), (2, 2, True)]
)
def test_what_was_preempted_waits_again_unless_it_was_too_often(
    ended: e.Event, preempted: int, limit: int | None, ends: bool
) -> None:
    active = attempt(attempt=preempted + 1, stop_wanted=StopCause.PREEMPTED)
    decision = decide(job(S.RUNNING, attempt=preempted + 1), ended, preemptible(preempted, limit), active)
    assert decision.job.status is (S.FAILED if ends else S.RUNNABLE)
    assert decision.attempt is not None
    assert decision.attempt.status_reason == reasons.TRAINING_PREEMPTED


def test_terminating_outranks_preempting_and_not_the_reverse() -> None:
    preempting = decide(job(S.RUNNING), e.PreemptionDecided(NOW), None, attempt()).attempt
    assert preempting is not None
    assert preempting.stop_wanted is StopCause.PREEMPTED
    ended = decide(job(S.RUNNING), e.TerminateRequested(NOW, "enough"), None, preempting)
    assert ended.attempt is not None
    assert (ended.attempt.stop_wanted, ended.job.requested_reason) == (StopCause.TERMINATED, "enough")
    again = decide(ended.job, e.PreemptionDecided(NOW), None, ended.attempt).attempt
    assert again == ended.attempt


def test_a_placement_taken_back_never_was() -> None:
    back = decide(job(S.STARTING, attempt=3), e.AttemptReturned(NOW), None, attempt(attempt=3)).job
    assert (back.status, back.attempt, back.scheduled_at) == (S.RUNNABLE, 2, None)
    terminated = job(S.STARTING, attempt=3, requested_reason="stop it")
    stopping = attempt(attempt=3, stop_wanted=StopCause.TERMINATED)
    ended = decide(terminated, e.AttemptReturned(NOW), None, stopping).job
    assert (ended.status, ended.attempt, ended.status_reason) == (S.FAILED, 2, "stop it")


# ------------------------------------------------------------------------------------------------------------ requests


def test_cancelling_marks_what_is_pending_and_fails_it_when_its_dependencies_have_ended() -> None:
    marked = decide(job(S.PENDING), e.CancelRequested(NOW, "first")).job
    marked = decide(marked, e.CancelRequested(NOW, "second")).job
    assert (marked.status, marked.is_cancelled) == (S.PENDING, True)
    for over in (e.DependenciesSucceeded(NOW), e.DependencyFailed(NOW)):
        ended = decide(marked, over).job
        assert (ended.status, ended.status_reason, ended.attempt) == (S.FAILED, "first", 0)


@pytest.mark.parametrize("status", [S.STARTING, S.RUNNING])
def test_cancelling_does_nothing_to_what_has_started(status: JobStatus) -> None:
    before, active = job(status), attempt()
    decision = decide(before, e.CancelRequested(NOW, "too late"), None, active)
    assert decision.job is before
    assert decision.attempt is active


@pytest.mark.parametrize(
    ("request_", "reason"),
    [(e.TerminateRequested(NOW, "stop it"), "stop it"), (e.QueueDeleted(NOW), "JobQueue deleted")],
)
def test_terminating_ends_what_waits_and_stops_what_runs(request_: e.Event, reason: str) -> None:
    for status in (S.SUBMITTED, S.PENDING, S.RUNNABLE):
        ended = decide(job(status), request_).job
        assert (ended.status, ended.status_reason, ended.is_terminated) == (S.FAILED, reason, True)
    for status in (S.STARTING, S.RUNNING):
        decision = decide(job(status), request_, None, attempt())
        assert (decision.job.status, decision.job.requested_reason) == (status, reason)
        assert decision.attempt is not None
        assert decision.attempt.stop_wanted is StopCause.TERMINATED


def test_a_second_termination_and_a_late_timeout_change_nothing() -> None:
    first = decide(job(S.RUNNING), e.TerminateRequested(NOW, "first"), None, attempt())
    second = decide(first.job, e.TerminateRequested(NOW, "second"), None, first.attempt)
    assert second == first
    assert decide(second.job, e.TimeoutReached(NOW), None, second.attempt) == first


def test_a_timeout_marks_the_attempt_and_waits_for_its_end() -> None:
    decision = decide(job(S.RUNNING), e.TimeoutReached(NOW), None, attempt())
    assert decision.job.status is S.RUNNING
    assert decision.attempt is not None
    assert decision.attempt.stop_wanted is StopCause.TIMED_OUT
