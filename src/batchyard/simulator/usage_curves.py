"""How much has been used up to a time, as a curve that is straight between the moments at which anything changes."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator

from batchyard.core.ids import Millis
from batchyard.simulator.record import Run

Interval = tuple[Millis, Millis]


class UsageCurve:
    """What has been used of something, in vCPU-seconds."""

    def __init__(self, pieces: Iterable[tuple[Millis, Millis, float]]) -> None:
        """`pieces`: from when, until when, and how many vCPUs."""
        changes: dict[Millis, float] = defaultdict(float)
        for begins_at, ends_at, vcpus in pieces:
            changes[begins_at] += vcpus
            changes[ends_at] -= vcpus
        self._times = sorted(changes)
        self._totals: list[float] = []
        self._rates: list[float] = []
        total, rate, before = 0.0, 0.0, Millis(0)
        for at in self._times:
            total += rate * (at - before) / 1000
            rate += changes[at]
            before = at
            self._totals.append(total)
            self._rates.append(rate)

    def until(self, at: Millis) -> float:
        """What has been used up to a time."""
        place = bisect_right(self._times, at) - 1
        if place < 0:
            return 0.0
        return self._totals[place] + self._rates[place] * (at - self._times[place]) / 1000

    def between(self, begins_at: Millis, ends_at: Millis) -> float:
        """What was used from one time to another."""
        return self.until(ends_at) - self.until(begins_at)


def usage_of(runs: Iterable[Run]) -> UsageCurve:
    """What runs used, over time."""
    return UsageCurve((run.started_at, run.ended_at, run.vcpus) for run in runs)


def demand_of(runs: Iterable[Run]) -> UsageCurve:
    """What runs would have used had there been room for all of them at once: while they wait, and while they run."""
    return UsageCurve((run.submitted_at, run.ended_at, run.vcpus) for run in runs)


def backlog(runs: Iterable[Run]) -> Iterator[Interval]:
    """The longest intervals throughout which at least one of these jobs waits, in order."""
    begins_at = ends_at = Millis(-1)
    for run in sorted(runs, key=lambda run: run.submitted_at):
        if run.submitted_at > ends_at:
            if ends_at > begins_at:
                yield begins_at, ends_at
            begins_at = ends_at = run.submitted_at
        ends_at = max(ends_at, run.started_at)
    if ends_at > begins_at:
        yield begins_at, ends_at


def overlaps(some: Iterable[Interval], others: Iterable[Interval]) -> Iterator[Interval]:
    """What two lists of intervals, each in order and without overlap, have in common."""
    firsts, seconds = iter(some), iter(others)
    first, second = next(firsts, None), next(seconds, None)
    while first is not None and second is not None:
        begins_at, ends_at = max(first[0], second[0]), min(first[1], second[1])
        if begins_at < ends_at:
            yield begins_at, ends_at
        if first[1] <= second[1]:
            first = next(firsts, None)
        else:
            second = next(seconds, None)
