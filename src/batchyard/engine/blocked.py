"""Why the head of a queue waits, and for how long it may (F 3.4, 8.2).

Two kinds of jobs say why they cannot be placed: those that could never fit, at once and wherever they stand, since they
hold up nobody; and the head of a queue for which the machine has no room though its compute environments would have
some, once it has waited for `SAID_AFTER_MS`. That an environment is full by its own maxvCpus is the ordinary way of
things and says nothing. Each has a row (core.time_limits.BlockedJob); no other job that waits costs anything.

What is kept in memory is a hint. Lost, the next plan finds the same heads, and their rows say since when.
"""

from batchyard.core import reasons
from batchyard.core.ids import JobSeq, Millis
from batchyard.core.placement import Plan
from batchyard.core.time_limits import BlockedJob, action_for, consequence
from batchyard.engine.apply import Changes, has_runnable
from batchyard.engine.snapshot import Yard
from batchyard.store.transaction import Transaction

SAID_AFTER_MS = 5_000
"""On AWS it takes minutes; a head that changes with every tick must not be written in every tick."""

ENDED_AT_ONCE_MAX = 100

_CAPACITY = "CAPACITY:"


class Blocked:
    """Who stands at the head of each queue for want of room, and when the first time limit is due.

    is_stale: what is known of the rows is to be read anew, since resources have changed or a transaction was undone.
    """

    def __init__(self) -> None:
        self.heads: dict[int, tuple[JobSeq, Millis]] = {}
        self.is_stale = True
        self._limit_due_at: Millis | None = None
        """Of the first row that has a time limit; it may have gone meanwhile, by a request."""

    def read(self, tx: Transaction) -> None:
        """Who stood there when the server ended."""
        self.heads = {row.queue_id: (row.seq, row.since) for row in tx.blocked_jobs.for_reason(_CAPACITY)}

    def end_overdue(self, changes: Changes, yard: Yard) -> bool:
        """Cancel or terminate what has been blocked for too long; whether there may be more of it."""
        if self._limit_due_at is None or self._limit_due_at > changes.now:
            return False
        rows = changes.tx.blocked_jobs.due(changes.now, ENDED_AT_ONCE_MAX)
        for blocked in rows:
            row, queue = changes.row(blocked.seq), yard.queues.get(blocked.queue_id)
            actions = () if queue is None else queue.document["jobStateTimeLimitActions"]
            action = action_for(blocked.reason, actions)
            if action is not None and row.job.status_reason == blocked.reason and has_runnable(row):
                changes.request(row.job.key, consequence(action, changes.now))
            changes.unblocked(blocked.seq)
        return len(rows) == ENDED_AT_ONCE_MAX

    def look(self, changes: Changes, made: Plan, yard: Yard) -> None:
        """Say on those whom the plan could not place why, and lift what holds no more."""
        for seq, reason in made.misfits.items():
            _say(changes, yard, seq, reason, changes.now)
        if not made.without_capacity and not self.heads:
            return
        found = self._find(changes, made)
        for queue_id, (seq, _) in self.heads.items():
            if found.get(queue_id, (None,))[0] != seq:
                _lift(changes, seq)
        self.heads = found
        for queue_id, (seq, since) in found.items():
            if since + SAID_AFTER_MS <= changes.now:
                _say(changes, yard, seq, _capacity_reason(yard, queue_id), since)

    def _find(self, changes: Changes, made: Plan) -> dict[int, tuple[JobSeq, Millis]]:
        """The heads as they stand now. A queue that the plan did not come to keeps the one it had."""
        placed = {placement.seq for placement in made.placements}
        found: dict[int, tuple[JobSeq, Millis]] = {}
        for seq in sorted(made.without_capacity):
            queue_id = changes.row(seq).queue_id
            before = self.heads.get(queue_id)
            is_same = before is not None and before[0] == seq and seq not in placed
            found.setdefault(queue_id, before if before is not None and is_same else (seq, changes.now))
        if made.is_cut_short:
            seen = {changes.row(seq).queue_id for seq in made.held}
            for queue_id, (seq, since) in self.heads.items():
                if queue_id not in seen and has_runnable(changes.row(seq)):
                    found.setdefault(queue_id, (seq, since))
        return found

    def conclude(self, changes: Changes) -> None:
        """When everything is saved: what is due next."""
        if self.is_stale:
            changes.tx.blocked_jobs.sweep()
        has_come = self._limit_due_at is not None and self._limit_due_at <= changes.now
        if self.is_stale or changes.has_blocked or has_come:
            self._limit_due_at = changes.tx.blocked_jobs.next_due()
        self.is_stale = False

    def next_due(self, now: Millis) -> Millis | None:
        """When there is something to say or to end next."""
        moments = [Millis(since + SAID_AFTER_MS) for _, since in self.heads.values()]
        limit = [] if self._limit_due_at is None else [self._limit_due_at]
        return min([at for at in moments if at > now] + limit, default=None)


def _say(changes: Changes, yard: Yard, seq: JobSeq, reason: str, since: Millis) -> None:
    row = changes.row(seq)
    if row.job.status_reason == reason or not has_runnable(row):
        return
    known = changes.tx.blocked_jobs.get(seq)
    if known is not None and known.reason == reason:
        since = known.since  # it had to be looked at again, and nothing has become of it
    queue = yard.queues.get(row.queue_id)
    actions = () if queue is None else queue.document["jobStateTimeLimitActions"]
    changes.block(seq, reason)
    changes.blocked(BlockedJob(seq, row.queue_id, reason, since).limited_by(actions))


def _lift(changes: Changes, seq: JobSeq) -> None:
    if (changes.row(seq).job.status_reason or "").startswith(_CAPACITY):
        changes.block(seq, None)


def _capacity_reason(yard: Yard, queue_id: int) -> str:
    queue = yard.queues.get(queue_id)
    names = () if queue is None else queue.compute_environments
    found = [yard.environments[name].document.get("computeResources") or {} for name in names]
    types = [kind for resources in found for kind in resources.get("instanceTypes") or ()]
    return reasons.insufficient_capacity(types[0] if types else "optimal")
