"""What `plan` is shown: the heads of the queues and the room there is.

Only as many rows are read as the plan looks at: the candidates are read in growing slices while it walks along them,
through an index that holds nothing but what can be placed.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from operator import attrgetter

from batchyard.core import resources
from batchyard.core.backfill import Ending
from batchyard.core.fair_share import FairSharePolicy
from batchyard.core.ids import JobSeq, Millis
from batchyard.core.jobs import Attempt
from batchyard.core.placement import Candidate, Environment, QueueHeads, Room, Snapshot, Supply
from batchyard.core.quota_shares import QuotaShare, quota_share
from batchyard.core.quotas import QUOTA_SHARES_PER_QUEUE, SERVICE_ENVIRONMENTS
from batchyard.core.resources import ComputeEnvironment, JobQueue, Phase, Record
from batchyard.core.scheduling_policies import QUOTA_SHARE
from batchyard.core.service_capacity import NUM_INSTANCES, environment_name
from batchyard.engine.apply import Changes
from batchyard.engine.pace import Pace
from batchyard.engine.shares import Holders, ShareView, policies_of, quota_heads, service_candidate
from batchyard.store.jobs import JobRow
from batchyard.store.transaction import Transaction

_CLOSED = (resources.CREATING, resources.DELETING, resources.INVALID)
"""Nothing is placed then; what is UPDATING goes on, since there is no other machine to wait for."""
_LIMITS = "capacityLimits"
_FIRST_SLICE = 8
_LARGEST_SLICE = 256
_CONSUMING_MAX = 256
"""How many jobs of a queue that need consumable resources one plan looks at: they may all wait for the same one."""


@dataclass(frozen=True, slots=True)
class Yard:
    """The queues, compute environments and service environments, read again whenever one may have changed; and what is
    in a phase. `policies`: of the queues that are served by fair share, by their ids; `quota_shares`: of those
    with quota management."""

    queues: dict[int, JobQueue]
    environments: dict[str, ComputeEnvironment]
    phases: Mapping[str, Phase] = field(default_factory=dict)
    service_environments: dict[str, Record] = field(default_factory=dict)
    policies: dict[int, FairSharePolicy] = field(default_factory=dict)
    quota_shares: dict[int, tuple[QuotaShare, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, tx: Transaction) -> "Yard":
        """All of them."""
        queues = tx.job_queues.all()
        names = [queue.scheduling_policy for queue in queues if queue.scheduling_policy is not None]
        documents = {policy.name: policy.document for policy in tx.scheduling_policies.named(names)}
        return cls(
            {queue.id: queue for queue in queues},
            {environment.name: environment for environment in tx.compute_environments.all()},
            tx.phases.all(),
            {environment.name: environment for environment in tx.service_environments.page(0, SERVICE_ENVIRONMENTS)},
            policies_of(queues, documents),
            {
                q.id: _quota_shares(tx, q.name)
                for q in queues
                if QUOTA_SHARE in documents.get(q.scheduling_policy or "", ())
            },
        )

    def names_of(self, queue: JobQueue) -> tuple[str, ...]:
        """What a queue places its jobs in, best first, by the names that attempts bear."""
        listed = [entry["serviceEnvironment"] for entry in queue.document.get("serviceEnvironmentOrder", ())]
        found = (self.service_environments[name] for name in listed if name in self.service_environments)
        names = [environment_name(e.name, limit["capacityUnit"]) for e in found for limit in e.document[_LIMITS]]
        return (*queue.compute_environments, *names)


def snapshot(
    changes: Changes,
    yard: Yard,
    machine: Room,
    active: Collection[Attempt],
    pace: Pace,
    holders: Holders,
    grace_seconds: float,
) -> Snapshot:
    """The plan's view of this moment. Everything decided so far must have been saved. grace_seconds: between asking an
    attempt to end and killing it."""
    free = machine
    used = dict.fromkeys(yard.environments, 0.0)
    for attempt in active:
        free = free.less(Room(attempt.vcpus, attempt.memory_mib, attempt.gpus))
        used[attempt.compute_environment] = used.get(attempt.compute_environment, 0.0) + attempt.vcpus
    environments = {e.name: _environment(e, used[e.name], machine) for e in yard.environments.values()}
    if yard.service_environments:
        instances = Counter(attempt.compute_environment for attempt in active)
        for service_environment in yard.service_environments.values():
            environments |= _service_environments(service_environment, instances)
    waiting = changes.tx.jobs.queues_with_placeable()
    consuming = frozenset(changes.tx.jobs.queues_with_placeable(consuming=True))
    if consuming:
        waiting = sorted(consuming.union(waiting))
    is_fair = not yard.policies.keys().isdisjoint(waiting)
    shares = ShareView(changes, machine, pace, holders.held(changes, active, pace) if is_fair else {})
    managed = not yard.quota_shares.keys().isdisjoint(waiting)
    instances_held = holders.instances(changes, active) if managed else {}
    heads = []
    queues = [q for q in map(yard.queues.get, waiting) if q is not None and q.status not in _CLOSED]
    turns = _turns(changes, queues, active, holders)
    for queue in queues:
        names = yard.names_of(queue)
        limits = [environments[name] for name in names if name in environments and environments[name].accepts]
        if not limits:
            continue  # nothing can be placed from a queue whose environments are all closed, so it need not be read
        policy = yard.policies.get(queue.id)
        fair = None if policy is None else shares.heads(queue, policy, limits, _CONSUMING_MAX)
        first = _Candidates(changes, queue.id, machine, pace, queue.id in consuming)
        divided = yard.quota_shares.get(queue.id)
        quota = None if divided is None else quota_heads(changes, queue.id, divided, instances_held.get(queue.id, ()))
        backfill = queue.settings.backfill
        turn = turns.get(queue.id, ())
        heads.append(QueueHeads(queue.priority, names, first, fair, quota, queue.id, backfill, *turn))
    timeouts = _Timeouts(changes)
    endings = _Endings(active, timeouts, changes.now)
    return Snapshot(machine, free, environments, heads, _Supplies(changes.tx), endings, timeouts, grace_seconds)


def _turns(
    changes: Changes, queues: Collection[JobQueue], active: Collection[Attempt], holders: Holders
) -> dict[int, tuple[float, JobSeq]]:
    """Of queues whose priority others have, too: what each holds, and its oldest job."""
    priorities = Counter(queue.priority for queue in queues)
    contested = [queue.id for queue in queues if priorities[queue.priority] > 1]
    held = holders.vcpus(changes, active) if contested else {}
    return {queue: (held.get(queue, 0.0), changes.tx.jobs.oldest_placeable(queue)) for queue in contested}


def _quota_shares(tx: Transaction, queue: str) -> tuple[QuotaShare, ...]:
    records = tx.quota_shares.page(0, QUOTA_SHARES_PER_QUEUE, prefix=f"{queue}/")
    return tuple(
        quota_share(r.name.partition("/")[2], r.document, is_open=r.document["state"] == resources.ENABLED)
        for r in records
    )


class _Supplies(dict[str, Supply]):
    """Consumable resources, each read when it is first asked for; one that has been deleted supplies nothing."""

    def __init__(self, tx: Transaction) -> None:
        super().__init__()
        self._tx = tx

    def __missing__(self, name: str) -> Supply:
        found = self._tx.consumable_resources.get(name)
        supply = self[name] = Supply(0, 0) if found is None else Supply(found.attainable, found.available)
        return supply


class _Timeouts(dict[JobSeq, float | None]):
    """Of jobs, in seconds, each read when it is first asked for."""

    def __init__(self, changes: Changes) -> None:
        super().__init__()
        self._changes = changes

    def __missing__(self, seq: JobSeq) -> float | None:
        timeout = self[seq] = self._changes.terms(seq).resolved.attempt_duration_seconds
        return timeout


class _Endings(Iterable[Ending]):
    """Of active attempts, looked at when they are asked for. What has not started will last for its whole timeout."""

    def __init__(self, active: Collection[Attempt], timeouts: _Timeouts, now: Millis) -> None:
        self._active = active
        self._timeouts = timeouts
        self._now = now

    def __iter__(self) -> Iterator[Ending]:
        for attempt in self._active:
            room = Room(attempt.vcpus, attempt.memory_mib, attempt.gpus)
            yield Ending(room, attempt.compute_environment, self._within(attempt))

    def _within(self, attempt: Attempt) -> float | None:
        if attempt.stop_wanted is not None:
            return 0.0
        if attempt.started_at is None:
            return self._timeouts[attempt.key.seq]
        return None if attempt.due_at is None else max(0, attempt.due_at - self._now) / 1000


def _environment(environment: ComputeEnvironment, used: float, machine: Room) -> Environment:
    limit = machine.vcpus if environment.max_vcpus is None else environment.max_vcpus
    accepts = environment.state == resources.ENABLED and environment.status not in _CLOSED
    return Environment(environment.name, limit, used, accepts)


def _service_environments(environment: Record, instances: Mapping[str, int]) -> dict[str, Environment]:
    """One for each of its capacity limits."""
    accepts = environment.document["state"] == resources.ENABLED
    found: dict[str, Environment] = {}
    for limit in environment.document[_LIMITS]:
        name, unit = environment_name(environment.name, limit["capacityUnit"]), limit["capacityUnit"]
        only = None if unit == NUM_INSTANCES else unit
        found[name] = Environment(name, limit["maxCapacity"], instances.get(name, 0), accepts, only)
    return found


class _Candidates(Iterable[Candidate]):
    """A queue's jobs in order of submission, read as far as they are asked for."""

    def __init__(self, changes: Changes, queue_id: int, machine: Room, pace: Pace, some_consume: bool) -> None:
        self._changes = changes
        self._queue_id = queue_id
        self._machine = machine
        self._pace = pace
        self._some_consume = some_consume

    def __iter__(self) -> Iterator[Candidate]:
        if not self._some_consume:
            return self._plain()
        return merge(self._plain(), self._consuming(), key=attrgetter("seq"))

    def _plain(self) -> Iterator[Candidate]:
        for rows in self._slices(consuming=False):
            for row in rows:
                if row.definition_id is None:
                    yield service_candidate(self._changes, row)
                    continue
                slots = min(self._machine.fits(row.need), 1024)
                yield Candidate(row.seq, row.need, row.available, self._pace.ahead(row.definition_id, slots))

    def _consuming(self) -> Iterator[Candidate]:
        left = _CONSUMING_MAX
        for rows in self._slices(consuming=True):
            needs = self._changes.tx.consumable_resources.needs([row.seq for row in rows[:left]])
            for row in rows[:left]:
                # Never ahead: what is only handed over would hold what another could use.
                yield Candidate(row.seq, row.need, row.available, 0, needs[row.seq])
            left -= len(rows)
            if left <= 0:
                return

    def _slices(self, *, consuming: bool) -> Iterator[list[JobRow]]:
        after, size = -1, _FIRST_SLICE
        while True:
            rows = self._changes.tx.jobs.placeable(self._queue_id, after, size, consuming=consuming)
            self._changes.know(rows)
            yield rows
            if len(rows) < size:
                return
            after, size = rows[-1].seq, min(_LARGEST_SLICE, size * 4)
