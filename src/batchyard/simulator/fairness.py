"""In the long run, shares that always have work waiting use vCPU-time in proportion to 1 / weightFactor.

Two shares of a queue are compared wherever both had jobs waiting without a break for long enough: the first decay
window is left out, in which past usage is evened out, and what follows lasts at least four windows and uses at least
forty times as much as the largest single job in it. A job is never stopped for fairness, so less tells nothing.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from batchyard.core.ids import Millis
from batchyard.simulator.properties import Finding
from batchyard.simulator.record import Record, Run
from batchyard.simulator.usage_curves import Interval, UsageCurve, backlog, overlaps, usage_of
from batchyard.simulator.yard import SimulatedQueue

TOLERANCE = 0.05
_WINDOWS_MIN = 4
_LARGEST_RUNS_MIN = 40


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two shares over an interval. used: the first one's part of what both used; entitled: what the weights say."""

    queue: str
    shares: tuple[str, str]
    interval: Interval
    used: float
    entitled: float

    @property
    def error(self) -> float:
        """By how much the first one's part is not what it should be."""
        return abs(self.used - self.entitled)


def comparisons(record: Record) -> Iterator[Comparison]:
    """Every comparison of two shares that tells something."""
    for queue in record.yard.queues:
        if queue.policy is not None:
            yield from _of_queue(queue, queue.policy.window_seconds * 1000, record)


def finding(found: list[Comparison]) -> Finding:
    """Whether every share got what its weight says."""
    off = sorted((one for one in found if one.error > TOLERANCE), key=lambda one: -one.error)
    examples = [
        f"{one.queue}: {one.shares[0]} used {one.used:.1%} of what it and {one.shares[1]} did from "
        f"{one.interval[0] // 1000} s to {one.interval[1] // 1000} s, and is entitled to {one.entitled:.1%}"
        for one in off[:3]
    ]
    name = f"shares get what their weights say, within {TOLERANCE:.0%}"
    return Finding(name, len(found), len(off), tuple(examples))


class _Share:
    """What one share did."""

    def __init__(self, runs: list[Run]) -> None:
        self.usage: UsageCurve = usage_of(runs)
        self.backlog = list(backlog(runs))
        self._runs = runs

    def largest_run(self, interval: Interval) -> float:
        """The most that a single job used within an interval, in vCPU-seconds."""
        within = (run for run in self._runs if run.started_at < interval[1] and run.ended_at > interval[0])
        clipped = (
            run.vcpus * (min(run.ended_at, interval[1]) - max(run.started_at, interval[0])) / 1000 for run in within
        )
        return max(clipped, default=0.0)


def _of_queue(queue: SimulatedQueue, window_millis: int, record: Record) -> Iterator[Comparison]:
    assert queue.policy is not None
    runs: dict[str, list[Run]] = defaultdict(list)
    for run in record.runs:
        if run.queue == queue.name:
            runs[run.share_identifier].append(run)
    shares = {name: _Share(runs[name]) for name in sorted(runs)}
    for (name, first), (other, second) in combinations(shares.items(), 2):
        entitled = 1 / (1 + queue.policy.weight(name) / queue.policy.weight(other))
        for begins_at, ends_at in overlaps(first.backlog, second.backlog):
            interval = Millis(begins_at + window_millis), ends_at
            if interval[1] - interval[0] < _WINDOWS_MIN * window_millis:
                continue
            used, used_by_other = first.usage.between(*interval), second.usage.between(*interval)
            largest = max(first.largest_run(interval), second.largest_run(interval))
            if used + used_by_other >= _LARGEST_RUNS_MIN * largest:
                yield Comparison(queue.name, (name, other), interval, used / (used + used_by_other), entitled)
