"""The end of phases: what is CREATING or UPDATING becomes VALID, and what is DELETING goes, when nothing keeps it.

A phase is a row (core.resources.Phase) and not a timer, so it outlives the server. The rows are few and read with the
queues and environments, so a tick in which nothing is in a phase asks nothing.
"""

from dataclasses import replace

from batchyard.core import events as e
from batchyard.core import resources
from batchyard.core.ids import AttemptId, Millis
from batchyard.core.jobs import Attempt
from batchyard.core.resources import Phase
from batchyard.engine.apply import Changes
from batchyard.engine.snapshot import Yard

DELETIONS_MAX = 500


def end_phases(changes: Changes, active: dict[AttemptId, Attempt], yard: Yard) -> tuple[Yard, bool]:
    """Do what phases ask for, and end those that nothing keeps.

    Returns the yard as it is from now on, and whether work is left over that should not wait for a bell.
    """
    has_more, has_ended = False, False
    for phase in yard.phases.values():
        kind, _, name = phase.resource.partition("/")
        is_free = True
        if kind == "job-queue" and phase.status == resources.DELETING:
            is_free, is_left_over = _end_jobs(changes, name)
            has_more |= is_left_over
        elif kind == "compute-environment":
            is_free = _drain(changes, active, phase, name)
        if is_free and phase.due_at <= changes.now:
            _end(changes, phase, kind, name)
            has_ended = True
    return (Yard.read(changes.tx) if has_ended else yard), has_more


def next_due(yard: Yard, now: Millis) -> Millis | None:
    """When a phase asks for something next, by the time alone."""
    moments = [at for phase in yard.phases.values() for at in (phase.due_at, phase.stop_at) if at is not None]
    return min((at for at in moments if at > now), default=None)


def _end_jobs(changes: Changes, name: str) -> tuple[bool, bool]:
    """End the jobs of a queue that is being deleted (F 8.2): whether all have ended, and whether some had not."""
    queue = changes.tx.job_queues.get(name)
    assert queue is not None, f"queue {name} is DELETING and gone"
    changes.save()
    rows = changes.tx.jobs.live_of_queue(queue.id, DELETIONS_MAX)
    for row in rows:
        changes.request(row.job.key, e.QueueDeleted(changes.now))
    changes.settle()
    changes.save()
    return not changes.tx.jobs.has_live(queue.id), bool(rows)  # the next tick sees the attempts that are to be stopped


def _drain(changes: Changes, active: dict[AttemptId, Attempt], phase: Phase, name: str) -> bool:
    """Whether nothing runs any more in an environment that waits for it; what has run for too long is stopped."""
    if phase.status == resources.DELETING:
        return all(attempt.compute_environment != name for attempt in active.values())
    if phase.stop_at is None:
        return True
    left = [a for a in active.values() if a.compute_environment == name and a.placed_at < phase.began_at]
    if phase.stop_at <= changes.now:
        for attempt in left:
            if attempt.stop_wanted is None:
                stopped = changes.happen(attempt.key, e.HostReplaced(changes.now), attempt)
                assert stopped is not None
                active[attempt.attempt_id] = stopped
    return not left


def _end(changes: Changes, phase: Phase, kind: str, name: str) -> None:
    tx = changes.tx
    tx.phases.delete(phase.resource)
    if phase.status == resources.DELETING:
        tx.tags.delete(phase.resource)
        if kind == "job-queue" and (queue := tx.job_queues.get(name)) is not None:
            tx.shares.forget_queue(queue.id)
        {
            "job-queue": tx.job_queues.delete,
            "compute-environment": tx.compute_environments.delete,
            "service-environment": tx.service_environments.delete,
            "quota-share": tx.quota_shares.delete,
        }[kind](name)
    elif kind == "job-queue":
        queue = tx.job_queues.get(name)
        assert queue is not None
        tx.job_queues.update(replace(queue, status=resources.VALID))
    elif kind == "compute-environment":
        environment = tx.compute_environments.get(name)
        assert environment is not None
        tx.compute_environments.update(replace(environment, status=resources.VALID))
