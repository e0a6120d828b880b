"""What `plan` is shown: the heads of the queues and the room there is.

Only as many rows are read as the plan looks at: the candidates are read in growing slices while it walks along them,
through an index that holds nothing but what can be placed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from batchyard.core import resources
from batchyard.core.jobs import Attempt, JobStatus
from batchyard.core.placement import Candidate, Environment, QueueHeads, Room, Snapshot
from batchyard.core.resources import ComputeEnvironment, JobQueue
from batchyard.engine.apply import Changes
from batchyard.engine.pace import Pace
from batchyard.store.jobs import JobRow
from batchyard.store.transaction import Transaction

_FIRST_SLICE = 8
_LARGEST_SLICE = 256


@dataclass(frozen=True, slots=True)
class Yard:
    """The queues and compute environments, read again whenever one may have changed."""

    queues: dict[int, JobQueue]
    environments: dict[str, ComputeEnvironment]

    @classmethod
    def read(cls, tx: Transaction) -> "Yard":
        """All of them."""
        return cls(
            {queue.id: queue for queue in tx.job_queues.all()},
            {environment.name: environment for environment in tx.compute_environments.all()},
        )


def snapshot(changes: Changes, yard: Yard, machine: Room, active: Iterable[Attempt], pace: Pace) -> Snapshot:
    """The plan's view of this moment. Everything decided so far must have been saved."""
    free = machine
    used = dict.fromkeys(yard.environments, 0.0)
    for attempt in active:
        free = free.less(Room(attempt.vcpus, attempt.memory_mib, attempt.gpus))
        used[attempt.compute_environment] = used.get(attempt.compute_environment, 0.0) + attempt.vcpus
    environments = {e.name: _environment(e, used[e.name], machine) for e in yard.environments.values()}
    queues = [
        QueueHeads(queue.priority, queue.compute_environments, _Candidates(changes, queue.id, machine, pace))
        for queue in (yard.queues.get(queue_id) for queue_id in changes.tx.jobs.queues_with_placeable())
        if queue is not None and queue.status != resources.DELETING and _is_open(queue, environments)
    ]
    return Snapshot(machine, free, environments, queues)


def _is_open(queue: JobQueue, environments: Mapping[str, Environment]) -> bool:
    """Whether anything can be placed from this queue; one whose environments are all closed need not be read."""
    return any(name in environments and environments[name].accepts for name in queue.compute_environments)


def _environment(environment: ComputeEnvironment, used: float, machine: Room) -> Environment:
    limit = machine.vcpus if environment.max_vcpus is None else environment.max_vcpus
    accepts = environment.state == resources.ENABLED and environment.status == resources.VALID
    return Environment(environment.name, limit, used, accepts)


class _Candidates(Iterable[Candidate]):
    """A queue's jobs in order of submission, read as far as they are asked for."""

    def __init__(self, changes: Changes, queue_id: int, machine: Room, pace: Pace) -> None:
        self._changes = changes
        self._queue_id = queue_id
        self._machine = machine
        self._pace = pace

    def __iter__(self) -> Iterator[Candidate]:
        after, size = -1, _FIRST_SLICE
        while True:
            rows = self._changes.tx.jobs.placeable(self._queue_id, after, size)
            self._changes.know(rows)
            for row in rows:
                yield self._candidate(row)
            if len(rows) < size:
                return
            after, size = rows[-1].seq, min(_LARGEST_SLICE, size * 4)

    def _candidate(self, row: JobRow) -> Candidate:
        available = 1 if row.children is None else row.children.count(JobStatus.RUNNABLE)
        slots = min(self._machine.fits(row.need), 1024)
        return Candidate(row.seq, row.need, available, self._pace.ahead(row.definition_id, slots))
