"""One tick: everything that has arrived, decided together and written in one transaction.

    take in reports -> apply what is due -> end phases -> settle -> plan -> apply placements

A tick is a function of the rows, the reports, the time and the machine's size; it does nothing outside the database.
What must be launched and stopped is derived from the rows afterwards (core.reconcile), by the loop.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchyard.core import events as e
from batchyard.core import placement, training
from batchyard.core.ids import AttemptId, JobSeq, Millis
from batchyard.core.jobs import Attempt, JobKey, Terms
from batchyard.core.lifecycle import InvalidTransition
from batchyard.core.placement import Placement, Room
from batchyard.core.resolved_tasks import PlacedContainer, placed_containers
from batchyard.engine import phases
from batchyard.engine.apply import Changes
from batchyard.engine.blocked import Blocked
from batchyard.engine.clock import Ids
from batchyard.engine.intake import take_in
from batchyard.engine.pace import Pace
from batchyard.engine.retention import Retention
from batchyard.engine.shares import Holders, charge
from batchyard.engine.snapshot import Yard, snapshot
from batchyard.engine.terms import TermsCache
from batchyard.executors.interface import Report
from batchyard.store.transaction import Transaction

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Surroundings:
    """What a tick needs besides rows: caches and hints that may be lost at any time, and the machine."""

    machine: Room
    instance_id: str
    terms: TermsCache
    pace: Pace
    ids: Ids
    yard: Yard
    blocked: Blocked
    retention: Retention
    holders: Holders
    grace_seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """active: attempts that hold capacity now. has_more: work is left over that should not wait for a bell. outranked:
    attempts that have not started and hold room that a job of a queue of higher priority waits for. due_at: when
    something besides an attempt is due."""

    active: dict[AttemptId, Attempt]
    has_more: bool
    outranked: tuple[AttemptId, ...]
    due_at: Millis | None


def tick(tx: Transaction, now: Millis, reports: Sequence[Report], around: Surroundings) -> Outcome:
    """Decide everything that can be decided now."""
    changes = Changes(tx, now, around.terms)
    active = {attempt.attempt_id: attempt for attempt in tx.attempts.active()}
    take_in(changes, active, reports, around.pace)
    if around.yard.policies:
        charge(changes, around.yard.policies, changes.ended)
    _apply_due(changes, active)
    has_more = False
    if around.yard.phases:
        around.yard, has_more = phases.end_phases(changes, active, around.yard)
    has_more |= around.blocked.end_overdue(changes, around.yard)
    changes.settle()
    changes.save()
    outranked = _place(changes, active, around)
    changes.settle()
    changes.save()
    around.blocked.conclude(changes)
    around.retention.step(tx, now)
    due = (phases.next_due(around.yard, now), around.blocked.next_due(now), around.retention.next_at)
    return Outcome(active, has_more, outranked, min((at for at in due if at is not None), default=None))


def _apply_due(changes: Changes, active: dict[AttemptId, Attempt]) -> None:
    for attempt in list(active.values()):
        if attempt.due_at is not None and attempt.due_at <= changes.now and attempt.stop_wanted is None:
            timed_out = changes.happen(attempt.key, e.TimeoutReached(changes.now), attempt)
            assert timed_out is not None
            active[attempt.attempt_id] = timed_out


def _place(changes: Changes, active: dict[AttemptId, Attempt], around: Surroundings) -> tuple[AttemptId, ...]:
    view = snapshot(
        changes, around.yard, around.machine, active.values(), around.pace, around.holders, around.grace_seconds
    )
    made = placement.plan(view)
    for attempt_id in made.preempted:
        stopped = changes.happen(active[attempt_id].key, e.PreemptionDecided(changes.now), active[attempt_id])
        assert stopped is not None
        active[attempt_id] = stopped
    for one in made.placements:
        for attempt in _begin(changes, one, around):
            active[attempt.attempt_id] = attempt
    around.blocked.look(changes, made, around.yard)
    return _outranked(changes, active, made.held, around) if made.held else ()


def _outranked(
    changes: Changes, active: dict[AttemptId, Attempt], held: Mapping[JobSeq, frozenset[str]], around: Surroundings
) -> tuple[AttemptId, ...]:
    """Attempts that have not started, where a more important job waits for room."""

    def priority(seq: JobSeq) -> int:
        queue = around.yard.queues.get(changes.row(seq).queue_id)
        return 0 if queue is None else queue.priority

    claims: dict[str, int] = {}
    for seq, environments in held.items():
        for name in environments:
            claims[name] = max(priority(seq), claims.get(name, priority(seq)))
    waiting = (a for a in active.values() if a.started_at is None and a.stop_wanted is None)
    claimed = ((a, claims.get(a.compute_environment)) for a in waiting)
    return tuple(a.attempt_id for a, claim in claimed if claim is not None and priority(a.key.seq) < claim)


def _begin(changes: Changes, placed: Placement, around: Surroundings) -> list[Attempt]:
    """Make the attempts of a placement."""
    row = changes.row(placed.seq)
    if around.yard.policies:
        around.holders.know(row)
    changes.block(placed.seq, None)
    is_array = row.children is not None
    keys = changes.take_children(placed.seq, placed.number) if is_array else [JobKey(placed.seq)]
    terms = changes.terms(placed.seq)
    first = placed_containers(terms.resolved.containers)[0]
    begun = []
    for key in keys:
        attempt_id = around.ids.attempt_id()
        attempt = Attempt(
            key=key,
            attempt=changes.job(key).attempt + 1,
            attempt_id=attempt_id,
            compute_environment=placed.compute_environment,
            instance_id=around.instance_id,
            vcpus=row.need.vcpus,
            memory_mib=row.need.memory_mib,
            gpus=row.need.gpus,
            placed_at=changes.now,
            log_group=first.container.log_group,
            log_stream=_log_stream(terms, first, attempt_id, changes.now),
        )
        event = e.JobPlaced(changes.now, attempt_id, placed.compute_environment, around.instance_id)
        try:
            changes.place(key, event, attempt)
        except InvalidTransition:
            log.exception("a job that cannot be placed was planned; it is left as it is, and the others go on")
            continue
        begun.append(attempt)
    return begun


def _log_stream(terms: Terms, first: PlacedContainer, attempt_id: AttemptId, placed_at: Millis) -> str:
    if terms.service is not None:
        return training.log_stream(terms.service.training.training_job_name, attempt_id, placed_at)
    return first.log_stream(attempt_id, terms.resolved.log_stream_prefix)
