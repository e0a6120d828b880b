"""Fair share in the engine: what ended attempts add to their share, and the shares that a plan is shown.

What a share has used is two things. What its ended attempts count is a row, written in the transaction that ends them.
What its active attempts count follows from their own rows and the time, so nothing is written while they run.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import merge
from typing import TYPE_CHECKING, NamedTuple

from batchyard.core import fair_share, resources
from batchyard.core.fair_share import FairSharePolicy, Held, Standing, Usage
from batchyard.core.job_queues import SAGEMAKER_TRAINING
from batchyard.core.jobs import Attempt, JobKey
from batchyard.core.placement import Candidate, Environment, FairHeads, QuotaHeads, Room
from batchyard.core.quota_shares import QuotaShare, Running
from batchyard.core.resources import JobQueue
from batchyard.engine.apply import Changes
from batchyard.engine.pace import Pace
from batchyard.store.jobs import JobRow
from batchyard.store.shares import HIGHEST_PRIORITY, served_order

if TYPE_CHECKING:
    from batchyard.core.ids import JobSeq

_FIRST_SLICE = 4
_LARGEST_SLICE = 256
_REMEMBERED = 4096


class Holder(NamedTuple):
    """What there is to know of a job whose attempts are active."""

    queue_id: int
    share_identifier: str | None
    definition_id: int | None


class Holders:
    """The jobs of active attempts: a cache of rows that may be lost at any time."""

    def __init__(self) -> None:
        self._holders: dict[JobSeq, Holder] = {}

    def know(self, row: JobRow) -> None:
        """An attempt of this job begins."""
        self._holders[row.seq] = Holder(row.queue_id, row.share_identifier, row.definition_id)

    def held(self, changes: Changes, active: Collection[Attempt], pace: Pace) -> dict[int, list[Held]]:
        """What the shares of each queue hold, by the queue's id."""
        self._read(changes, active)
        found: dict[int, list[Held]] = {}
        for attempt in active:
            queue_id, share, definition_id = self._holders[attempt.key.seq]
            if share is not None:
                expected = _expected_seconds(pace, definition_id)
                found.setdefault(queue_id, []).append(Held(share, attempt.vcpus, attempt.started_at, expected))
        return found

    def vcpus(self, changes: Changes, active: Collection[Attempt]) -> Mapping[int, float]:
        """What the attempts of each queue hold, by the queue's id."""
        self._read(changes, active)
        found: dict[int, float] = {}
        for attempt in active:
            queue_id = self._holders[attempt.key.seq].queue_id
            found[queue_id] = found.get(queue_id, 0.0) + attempt.vcpus
        return found

    def instances(self, changes: Changes, active: Collection[Attempt]) -> dict[int, list[Running]]:
        """The training instances that the quota shares of each queue hold, by the queue's id."""
        self._read(changes, active)
        found: dict[int, list[Running]] = {}
        for attempt in active:
            seq = attempt.key.seq
            queue_id, share, definition_id = self._holders[seq]
            if share is None or definition_id is not None:
                continue
            service = changes.terms(seq).service
            assert service is not None
            kind, priority = service.training.instance_type, changes.row(seq).scheduling_priority or 0
            stops = attempt.stop_wanted is not None
            one = Running(attempt.attempt_id, share, kind, priority, attempt.placed_at, stops)
            found.setdefault(queue_id, []).append(one)
        return found

    def _read(self, changes: Changes, active: Collection[Attempt]) -> None:
        missing = {a.key.seq for a in active} - self._holders.keys()
        changes.preload(map(JobKey, missing))
        for seq in missing:
            self.know(changes.row(seq))
        if len(self._holders) > _REMEMBERED + len(active):
            self._holders = {a.key.seq: self._holders[a.key.seq] for a in active}


def quota_heads(
    changes: Changes, queue_id: int, shares: Sequence[QuotaShare], running: Sequence[Running]
) -> QuotaHeads:
    """What a queue's quota shares have to place, and what they hold."""
    used = Counter((one.share, one.instance_type) for one in running)
    lines = [(share, _service_candidates(changes, queue_id, share)) for share in changes.tx.shares.placeable(queue_id)]
    return QuotaHeads(shares, used, lines, running)


def _service_candidates(changes: Changes, queue_id: int, share: str) -> Iterator[Candidate]:
    return (service_candidate(changes, row) for row in rows_of_share(changes, queue_id, share))


def charge(changes: Changes, policies: Mapping[int, FairSharePolicy], ended: Sequence[Attempt]) -> None:
    """Add what attempts that have just ended used to what their shares have used."""
    added: dict[int, dict[str, float]] = {}
    for attempt in ended:
        row = changes.row(attempt.key.seq)
        policy = policies.get(row.queue_id)
        if policy is None or row.share_identifier is None or attempt.started_at is None or attempt.stopped_at is None:
            continue
        of_queue = added.setdefault(row.queue_id, {})
        used = fair_share.ran(attempt.vcpus, attempt.started_at, attempt.stopped_at, policy, changes.now)
        of_queue[row.share_identifier] = of_queue.get(row.share_identifier, 0.0) + used
    for queue_id, shares in added.items():
        policy, before = policies[queue_id], changes.tx.shares.usages(queue_id)
        sums = {s: fair_share.faded(before.get(s), policy, changes.now) + used for s, used in shares.items()}
        changes.tx.shares.write(queue_id, {share: Usage(used, changes.now) for share, used in sums.items()})
        past = [s for s, usage in before.items() if s not in sums and fair_share.is_faded(usage, policy, changes.now)]
        changes.tx.shares.forget(queue_id, past)


class ShareView:
    """The shares of queues as a plan is shown them, at one moment."""

    def __init__(self, changes: Changes, machine: Room, pace: Pace, held: Mapping[int, Sequence[Held]]) -> None:
        self._changes = changes
        self._machine = machine
        self._pace = pace
        self._held = held

    def heads(
        self, queue: JobQueue, policy: FairSharePolicy, environments: Sequence[Environment], consuming_max: int
    ) -> FairHeads:
        """What the queue's shares have to place. `environments`: those of the queue that are open. `consuming_max`: of
        how many jobs of a share that need consumable resources one plan looks at."""
        held = self._held.get(queue.id, ())
        lines = _Lines(self, queue.id, policy, consuming_max)
        if not policy.compute_reservation:
            return FairHeads(lines)
        tx, now = self._changes.tx, self._changes.now
        active = fair_share.active_shares(policy, tx.shares.live(queue.id), tx.shares.usages(queue.id), now)
        most = sum(environment.limit for environment in environments)
        unreserved = 1 - fair_share.reserved_ratio(policy, len(active))
        if queue.document["jobQueueType"] == SAGEMAKER_TRAINING:
            return FairHeads(lines, most * unreserved, len(held))
        most = min(self._machine.vcpus, most)
        return FairHeads(lines, most * unreserved, sum(one.vcpus for one in held))

    def lines(
        self, queue_id: int, policy: FairSharePolicy, consuming_max: int
    ) -> Iterator[tuple[Standing, Iterable[Candidate]]]:
        """The shares that have something to place, each with where it stands."""
        tx = self._changes.tx
        shares, usages = tx.shares.placeable(queue_id), tx.shares.usages(queue_id)
        held = self._held.get(queue_id, ())
        found = fair_share.standings(policy, shares, usages, held, self._changes.now)
        for share, standing in found.items():
            yield standing, self._candidates(queue_id, share, policy, consuming_max)

    def _candidates(
        self, queue_id: int, share: str, policy: FairSharePolicy, consuming_max: int
    ) -> Iterator[Candidate]:
        plain = rows_of_share(self._changes, queue_id, share)
        consuming = rows_of_share(self._changes, queue_id, share, consuming=True, most=consuming_max)
        for row in merge(plain, consuming, key=served_order):
            yield self._candidate(row, policy)

    def _candidate(self, row: JobRow, policy: FairSharePolicy) -> Candidate:
        expected = _expected_seconds(self._pace, row.definition_id)
        charge = fair_share.pledged(policy, row.need.vcpus, expected)
        if row.definition_id is None:
            return replace(service_candidate(self._changes, row), charge=charge)
        if row.consumes:
            needs = self._changes.tx.consumable_resources.needs([row.seq])
            return Candidate(row.seq, row.need, row.available, 0, needs[row.seq], charge=charge)
        slots = min(self._machine.fits(row.need), 1024)
        return Candidate(row.seq, row.need, row.available, self._pace.ahead(row.definition_id, slots), charge=charge)


def rows_of_share(
    changes: Changes, queue_id: int, share: str, *, consuming: bool = False, most: int | None = None
) -> Iterator[JobRow]:
    """A share's jobs with something to place in the order they are served, about `most` of them, read as far as they
    are asked for: those that need no consumable resources, or those that do."""
    after, size, seen = (HIGHEST_PRIORITY, 0), _FIRST_SLICE, 0
    while most is None or seen < most:
        rows = changes.tx.shares.heads(queue_id, share, after, size, consuming=consuming)
        changes.know(rows)
        yield from rows
        if len(rows) < size:
            return
        seen += size
        after, size = (rows[-1].scheduling_priority or 0, rows[-1].seq), min(_LARGEST_SLICE, size * 4)


class _Lines(Iterable[tuple[Standing, Iterable[Candidate]]]):
    """Read when the plan comes to the queue."""

    def __init__(self, view: ShareView, queue_id: int, policy: FairSharePolicy, consuming_max: int) -> None:
        self._view = view
        self._arguments = (queue_id, policy, consuming_max)

    def __iter__(self) -> Iterator[tuple[Standing, Iterable[Candidate]]]:
        return self._view.lines(*self._arguments)


def _expected_seconds(pace: Pace, definition_id: int | None) -> float:
    return math.inf if definition_id is None else pace.expected_seconds(definition_id)


def service_candidate(changes: Changes, row: JobRow) -> Candidate:
    """A service job as a plan is shown it."""
    service = changes.terms(row.seq).service
    assert service is not None
    kind = service.training.instance_type
    return Candidate(row.seq, row.need, instance_type=kind, priority=row.scheduling_priority or 0)


def policies_of(queues: Iterable[JobQueue], documents: Mapping[str, resources.Document]) -> dict[int, FairSharePolicy]:
    """The fair-share policies of queues that have one, by the queue's id. `documents`: scheduling policies by name."""
    found: dict[int, FairSharePolicy] = {}
    for queue in queues:
        document = documents.get(queue.scheduling_policy or "", {})
        if "fairsharePolicy" in document:
            found[queue.id] = fair_share.fair_share_policy(document["fairsharePolicy"])
    return found
