"""A yard on paper: one queue, one machine, simulated time, and the pure core that decides.

Every share always has something to place. What it has used is kept as the engine keeps it: a row for the attempts that
have ended, and the rest from those that are active.
"""

import heapq
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from batchyard.core.fair_share import (
    FairSharePolicy,
    Held,
    Usage,
    active_shares,
    faded,
    pledged,
    ran,
    reserved_ratio,
    standings,
)
from batchyard.core.ids import JobSeq, Millis
from batchyard.core.placement import Candidate, Environment, FairHeads, QueueHeads, Room, Snapshot, plan


@dataclass(frozen=True, slots=True)
class Work:
    """The jobs of a share: vCPUs of each, and how long they take."""

    vcpus: float
    seconds: float
    is_known: bool = False
    """Whether the engine has learned how long they take."""


@dataclass(order=True, slots=True)
class _Run:
    ends_at: int
    number: int
    share: str = field(compare=False)
    vcpus: float = field(compare=False)
    started_at: int = field(compare=False)


class PaperYard:
    """Runs until it is told to stop. `used`: vCPU-seconds of each share since the count was begun."""

    def __init__(self, policy: FairSharePolicy, vcpus: float, work: Mapping[str, Work], seed: int = 0) -> None:
        self.policy = policy
        self.vcpus = vcpus
        self.work = dict(work)
        self.now = Millis(0)
        self.used = dict.fromkeys(work, 0.0)
        self.most_in_use = 0.0
        self._random = random.Random(seed)
        self._numbers = count()
        self._runs: list[_Run] = []
        self._usages: dict[str, Usage] = {}

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        until = self.now + seconds * 1000
        self._place()
        while self._runs and self._runs[0].ends_at <= until:
            self.now = Millis(self._runs[0].ends_at)
            while self._runs and self._runs[0].ends_at <= self.now:
                self._end(heapq.heappop(self._runs))
            self._place()
        self.now = Millis(int(until))

    def begin_count(self) -> None:
        """Forget what has been used so far."""
        self.used = dict.fromkeys(self.work, 0.0)

    def fractions(self) -> dict[str, float]:
        """The part of all that was used that each share used."""
        total = sum(self.used.values())
        return {share: used / total for share, used in self.used.items()}

    def in_use(self) -> float:
        """vCPUs of what runs now."""
        return sum(run.vcpus for run in self._runs)

    def runs_of(self, share: str) -> int:
        """How many jobs of a share run now."""
        return sum(run.share == share for run in self._runs)

    def _end(self, run: _Run) -> None:
        self.used[run.share] += run.vcpus * (run.ends_at - run.started_at) / 1000
        before = faded(self._usages.get(run.share), self.policy, self.now)
        used = ran(run.vcpus, Millis(run.started_at), self.now, self.policy, self.now)
        self._usages[run.share] = Usage(before + used, self.now)

    def _place(self) -> None:
        free = self.vcpus - self.in_use()
        order: Sequence[str] = list(self.work)
        held = [Held(r.share, r.vcpus, Millis(r.started_at), self._expected(r.share)) for r in self._runs]
        found = standings(self.policy, order, self._usages, held, self.now)
        lines = [(found[share], [self._head(seq, share)]) for seq, share in enumerate(order)]
        active = active_shares(self.policy, order, self._usages, self.now)
        unreserved = self.vcpus * (1 - reserved_ratio(self.policy, len(active)))
        heads = QueueHeads(1, ("a",), [], FairHeads(lines, unreserved, self.in_use()))
        environment = Environment("a", self.vcpus, self.vcpus - free, accepts=True)
        machine = Room(self.vcpus, 1)
        for placed in plan(Snapshot(machine, Room(free, 1), {"a": environment}, [heads])).placements:
            for _ in range(placed.number):
                self._start(order[placed.seq])
        self.most_in_use = max(self.most_in_use, self.in_use())

    def _head(self, seq: int, share: str) -> Candidate:
        work = self.work[share]
        charge = pledged(self.policy, work.vcpus, self._expected(share))
        return Candidate(JobSeq(seq), Room(work.vcpus, 0), 1_000_000, charge=charge)

    def _expected(self, share: str) -> float:
        work = self.work.get(share)
        return work.seconds if work is not None and work.is_known else float("inf")

    def _start(self, share: str) -> None:
        work = self.work[share]
        millis = max(1, int(self._random.uniform(0.5, 1.5) * work.seconds * 1000))
        heapq.heappush(self._runs, _Run(self.now + millis, next(self._numbers), share, work.vcpus, self.now))
