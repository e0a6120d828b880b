"""Fair share: how much each share of a queue has used, and whose turn it is (F 8.4).

AWS says that a share's usage is T * weightFactor, T being vCPU usage over time, and that the share with the lowest goes
first (User Guide, Use share identifiers to identify workloads). The rest is chosen here, and docs/scheduling.md has the
formulae with worked examples:

* T is in vCPU-seconds. A second of the past counts e^(-age / tau), tau being half of shareDecaySeconds: what a steady
  share has used is then the same as if each second faded linearly over the window. A share that has had nothing running
  for the whole window has used nothing.
* What has been placed counts a little ahead of time, or one tick would give every free slot to one share: as if it had
  run for as long as its kind is known to take, at most for tau / 30. Over time that moves a share by 3 % at the most.
* computeReservation keeps (computeReservation / 100)^n of the queue's vCPUs free for shares that are not active, n
  being the number of those that are.

Everything is a function of rows and the time.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from batchyard.core.ids import Millis

DEFAULT_WINDOW_SECONDS = 600
"""What a shareDecaySeconds of 0, or none, stands for (API Reference, FairsharePolicy)."""

_AHEAD_OF_TIME = 1 / 30


@dataclass(frozen=True, slots=True)
class FairSharePolicy:
    """A fairsharePolicy, with its defaults. `prefixes` are weights of `name*`, without the asterisk; none of them
    covers another entry."""

    window_seconds: int
    compute_reservation: int
    weights: Mapping[str, float]
    prefixes: tuple[tuple[str, float], ...]

    @property
    def tau_seconds(self) -> float:
        """The time in which past usage fades to 1/e."""
        return self.window_seconds / 2

    @property
    def ahead_of_time_seconds(self) -> float:
        """How long what has just been placed is taken to have run already, at the most."""
        return self.tau_seconds * _AHEAD_OF_TIME

    def weight(self, share_identifier: str) -> float:
        """The weight factor of a share: its own, that of its prefix, or 1.0."""
        own = self.weights.get(share_identifier)
        if own is not None:
            return own
        return next((weight for prefix, weight in self.prefixes if share_identifier.startswith(prefix)), 1.0)


def fair_share_policy(document: Mapping[str, Any]) -> FairSharePolicy:
    """What the value of `fairsharePolicy` says."""
    shares = [(entry["shareIdentifier"], entry["weightFactor"]) for entry in document.get("shareDistribution") or ()]
    return FairSharePolicy(
        window_seconds=document.get("shareDecaySeconds") or DEFAULT_WINDOW_SECONDS,
        compute_reservation=document.get("computeReservation") or 0,
        weights={share: weight for share, weight in shares if not share.endswith("*")},
        prefixes=tuple((share[:-1], weight) for share, weight in shares if share.endswith("*")),
    )


# ---------------------------------------------------------------------------------------------------------------- usage


class Usage(NamedTuple):
    """What the ended attempts of a share count, in vCPU-seconds, at the time `at`: when the last of them was noted."""

    vcpu_seconds: float
    at: Millis


class Held(NamedTuple):
    """An active attempt. expected_seconds: how long its kind takes, endless where that is not known."""

    share_identifier: str
    vcpus: float
    started_at: Millis | None
    expected_seconds: float = math.inf


def is_faded(usage: Usage, policy: FairSharePolicy, now: Millis) -> bool:
    """Whether the whole decay window has passed since, so that the share has used nothing."""
    return now - usage.at >= policy.window_seconds * 1000


def faded(usage: Usage | None, policy: FairSharePolicy, now: Millis) -> float:
    """What a share's ended attempts count now, in vCPU-seconds."""
    if usage is None or is_faded(usage, policy, now):
        return 0.0
    return usage.vcpu_seconds * _fading(usage.at, policy, now)


def ran(vcpus: float, started_at: Millis, stopped_at: Millis, policy: FairSharePolicy, now: Millis) -> float:
    """What `vcpus` that were used in an interval of the past count now, in vCPU-seconds."""
    return vcpus * policy.tau_seconds * (_fading(stopped_at, policy, now) - _fading(started_at, policy, now))


def _fading(at: Millis, policy: FairSharePolicy, now: Millis) -> float:
    return math.exp(-max(0, now - at) / (policy.tau_seconds * 1000))


def pledged(policy: FairSharePolicy, vcpus: float, expected_seconds: float = math.inf) -> float:
    """What an attempt that holds `vcpus` counts ahead of time, in vCPU-seconds."""
    return vcpus * min(expected_seconds, policy.ahead_of_time_seconds)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a share stands, and why: `used` counts what it has run so far and `pledged` what it holds ahead of time,
    both in vCPU-seconds; `vcpus` is what it holds."""

    share_identifier: str
    weight: float
    used: float = 0.0
    pledged: float = 0.0
    vcpus: float = 0.0

    @property
    def weighted(self) -> float:
        """What the shares of a queue are ordered by, the least first."""
        return self.weight * (self.used + self.pledged)


def standings(
    policy: FairSharePolicy,
    share_identifiers: Iterable[str],
    usages: Mapping[str, Usage],
    held: Iterable[Held],
    now: Millis,
) -> dict[str, Standing]:
    """Where these shares of one queue stand, given what they have used and all that the queue's attempts hold."""
    used = {share: faded(usages.get(share), policy, now) for share in share_identifiers}
    ahead, vcpus = dict.fromkeys(used, 0.0), dict.fromkeys(used, 0.0)
    # As `ran` and `pledged` have it, with what is the same for every attempt worked out once: a machine may hold many.
    tau_seconds, most_ahead_seconds = policy.tau_seconds, policy.ahead_of_time_seconds
    per_millis = 1 / (tau_seconds * 1000)
    for share, held_vcpus, started_at, expected_seconds in held:
        if share not in used:
            continue
        vcpus[share] += held_vcpus
        ahead[share] += held_vcpus * min(expected_seconds, most_ahead_seconds)
        if started_at is not None and started_at < now:
            used[share] -= held_vcpus * tau_seconds * math.expm1((started_at - now) * per_millis)
    return {s: Standing(s, policy.weight(s), used[s], ahead[s], vcpus[s]) for s in used}


# --------------------------------------------------------------------------------------------------------- reservation


def reserved_ratio(policy: FairSharePolicy, active_shares: int) -> float:
    """The part of the queue's maximum vCPUs that is kept for shares that are not active (API Reference)."""
    return float((policy.compute_reservation / 100) ** active_shares)


def active_shares(policy: FairSharePolicy, live: Iterable[str], usages: Mapping[str, Usage], now: Millis) -> set[str]:
    """Shares that have a job that has not ended, and those whose decay window has not passed since (User Guide)."""
    return {*live, *(share for share, usage in usages.items() if not is_faded(usage, policy, now))}


# ---------------------------------------------------------------------------------------------------------------- turns


class Head(Protocol):
    """A job at the head of its share; an array counts as `available` equal jobs."""

    @property
    def seq(self) -> int:
        """Its number in order of submission."""

    @property
    def available(self) -> int:
        """How many of it may be placed."""


H = TypeVar("H", bound=Head)

_UNREAD = -1


class _Line(Generic[H]):
    """A share that waits for its turn. Ordered by weighted usage, then by the number of its head; a line whose head
    has not been read yet comes first among equals, and is read then."""

    __slots__ = ("head", "heads", "left", "seq", "weight", "weighted")

    def __init__(self, standing: Standing, heads: Iterable[H]) -> None:
        self.weight, self.weighted = standing.weight, standing.weighted
        self.heads: Iterator[H] = iter(heads)
        self.head: H | None = None
        self.left, self.seq = 0, _UNREAD

    def __lt__(self, other: "_Line[H]") -> bool:
        return (self.weighted, self.seq) < (other.weighted, other.seq)

    def read(self) -> bool:
        """Turn to the next job; False if there is none."""
        self.head = next(self.heads, None)
        if self.head is None:
            return False
        self.left, self.seq = self.head.available, self.head.seq
        return True


class Turns(Generic[H]):
    """Whose turn it is, while jobs are taken one after the other. Reads no more heads than have a turn."""

    def __init__(self, lines: Iterable[tuple[Standing, Iterable[H]]]) -> None:
        self._lines = [_Line(standing, heads) for standing, heads in lines]
        heapq.heapify(self._lines)

    def head(self) -> H | None:
        """The job whose turn it is: the first of the share that has used least; None if none is left."""
        while self._lines:
            first = self._lines[0]
            if first.left:
                return first.head
            if first.read():
                heapq.heapreplace(self._lines, first)
            else:
                heapq.heappop(self._lines)
        return None

    def most(self, charge: float) -> int:
        """How many units of the head may be taken, each counting `charge` vCPU-seconds, before another's turn."""
        first = self._lines[0]
        step = first.weight * charge
        if len(self._lines) == 1 or step <= 0:
            return first.left
        gap = min(line.weighted for line in self._lines[1:3]) - first.weighted
        return max(1, min(first.left, math.ceil(gap / step - 1e-9)))

    def take(self, number: int, charge: float) -> None:
        """So many units of the head have been taken."""
        first = self._lines[0]
        first.weighted += first.weight * charge * number
        first.left -= number
        heapq.heapreplace(self._lines, first)

    def skip(self) -> None:
        """The head is passed over; the next of its share takes its place."""
        self._lines[0].left = 0
