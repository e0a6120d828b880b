"""Quota shares: how a queue's training instances are divided, lent and borrowed (F 8.9).

A quota share may hold so many instances of a type as its capacityLimits say, or so many of all types together where the
unit is NUM_INSTANCES. One with LEND_AND_BORROW may hold more, up to borrowLimit percent of its own, as long as others
that lend leave so many idle (API Reference, QuotaShareResourceSharingConfiguration). What a share is entitled to goes
before what is borrowed; idle instances are lent to who came first (idleResourceAssignmentStrategy FIFO).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchyard.core.ids import AttemptId, Millis
from batchyard.core.service_capacity import NUM_INSTANCES

RESERVE = "RESERVE"
LEND_AND_BORROW = "LEND_AND_BORROW"
_UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class QuotaShare:
    """`limits` by instance type, or NUM_INSTANCES alone. `borrow_percent`: of each limit, -1 for any number, 0 for one
    that does not borrow. `preempts`: whether its jobs of higher priority preempt its own of lower."""

    name: str
    limits: Mapping[str, int]
    lends: bool
    borrow_percent: int
    is_open: bool = True
    preempts: bool = False

    def unit(self, instance_type: str) -> str:
        """What instances of this type are counted as."""
        return NUM_INSTANCES if NUM_INSTANCES in self.limits else instance_type


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt that holds an instance; `is_stopping`: it will give it back soon."""

    attempt_id: AttemptId
    share: str
    instance_type: str
    priority: int
    placed_at: Millis
    is_stopping: bool = False


def quota_share(name: str, document: Mapping[str, Any], *, is_open: bool) -> QuotaShare:
    """What a quota share's document says; `is_open`: it is ENABLED."""
    sharing = document["resourceSharingConfiguration"]
    return QuotaShare(
        name=name,
        limits={limit["capacityUnit"]: limit["maxCapacity"] for limit in document["capacityLimits"]},
        lends=sharing["strategy"] != RESERVE,
        borrow_percent=sharing["borrowLimit"] if sharing["strategy"] == LEND_AND_BORROW else 0,
        is_open=is_open,
        preempts=(document.get("preemptionConfiguration") or {}).get("inSharePreemption") == "ENABLED",
    )


class Ledger:
    """Who holds how many instances of each type, while a plan is made."""

    def __init__(self, shares: Sequence[QuotaShare], used: Mapping[tuple[str, str], int]) -> None:
        self._shares = {share.name: share for share in shares}
        self._used: Counter[tuple[str, str]] = Counter()
        for (name, instance_type), number in used.items():
            self._used[name, self._unit(name, instance_type)] += number

    def has_any(self, name: str, instance_type: str) -> bool:
        """Whether a share could ever hold an instance of this type: it has some, or borrows without limit."""
        share = self._shares.get(name)
        return share is not None and (share.unit(instance_type) in share.limits or share.borrow_percent == _UNLIMITED)

    def own(self, name: str, instance_type: str) -> int:
        """How many more instances a share may hold without borrowing."""
        share = self._shares.get(name)
        return 0 if share is None or not share.is_open else max(0, -self._beyond(share, instance_type))

    def lent(self, name: str, instance_type: str) -> int:
        """How many more instances a share may borrow now; it must hold all of its own."""
        share = self._shares.get(name)
        if share is None or not share.is_open or not share.borrow_percent:
            return 0
        idle = sum(max(0, -self._beyond(each, instance_type)) for each in self._shares.values() if each.lends)
        borrowed = sum(max(0, self._beyond(each, instance_type)) for each in self._shares.values())
        most = idle - borrowed
        if share.borrow_percent != _UNLIMITED:
            limit = share.limits.get(share.unit(instance_type), 0) * share.borrow_percent // 100
            most = min(most, limit - self._beyond(share, instance_type))
        return max(0, most)

    def take(self, name: str, instance_type: str) -> None:
        """A share holds one more."""
        self._used[name, self._unit(name, instance_type)] += 1

    def _unit(self, name: str, instance_type: str) -> str:
        share = self._shares.get(name)
        return instance_type if share is None else share.unit(instance_type)

    def _beyond(self, share: QuotaShare, instance_type: str) -> int:
        """How many instances a share holds beyond its limit; negative where it has some left."""
        unit = share.unit(instance_type)
        return self._used[share.name, unit] - share.limits.get(unit, 0)

    def beyond(self, name: str, instance_type: str) -> int:
        """How many instances a share holds that are not its own."""
        share = self._shares.get(name)
        return 0 if share is None else max(0, self._beyond(share, instance_type))

    def preempts(self, name: str) -> bool:
        """Whether jobs of a share preempt others of it."""
        share = self._shares.get(name)
        return share is not None and share.preempts


class Preemption:
    """Whose instances are taken back: of the lowest priority first, and of these what was placed last (User Guide,
    Preemption, names what counts and not how). What is stopping already counts as taken back."""

    def __init__(self, ledger: Ledger, running: Iterable[Running]) -> None:
        self._ledger = ledger
        self._running = sorted(running, key=lambda one: (one.priority, -one.placed_at))
        self.victims: list[AttemptId] = []

    def restore(self, instance_type: str, number: int) -> None:
        """Take back `number` instances from shares that hold more than their own."""
        kind = [one for one in self._running if one.instance_type == instance_type]
        beyond = {one.share: self._ledger.beyond(one.share, instance_type) for one in kind}
        for one in kind:
            if one.is_stopping and beyond[one.share]:
                beyond[one.share] -= 1
                number -= 1
        for one in kind:
            if number > 0 and not one.is_stopping and beyond[one.share]:
                beyond[one.share] -= 1
                number -= 1
                self.victims.append(one.attempt_id)

    def make_way(self, share: str, instance_type: str, priority: int) -> None:
        """Take back one instance within a share for its next job, from a job of lower priority."""
        if not self._ledger.preempts(share):
            return
        lower = [one for one in self._running if (one.share, one.instance_type) == (share, instance_type)]
        if any(one.is_stopping for one in lower) or not lower or lower[0].priority >= priority:
            return
        self.victims.append(lower[0].attempt_id)
