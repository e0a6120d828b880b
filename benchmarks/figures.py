"""What a measurement hands back, and the arithmetic of interleaved rounds.

A machine shared with others is slow one second and quick the next. So what is compared takes turns (A B A B A B), each
round gives one ratio, and the median of the rounds counts.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Figure:
    """One number beside the outcome: what it is, and in which unit."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. `holds` is None where nothing could be decided, and `outcome` then says why."""

    number: str
    title: str
    target: str
    outcome: str
    holds: bool | None
    figures: Sequence[Figure] = field(default_factory=tuple)


def in_turns(rounds: int, contenders: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Let each contender have its turn in every round; what each returned, by name, in order of rounds."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            found[name].append(run())
    return found


def ratio(measured: Sequence[float], peer: Sequence[float]) -> float:
    """The median over the rounds of the one to the other."""
    return statistics.median(a / b for a, b in zip(measured, peer, strict=True))


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def polling(seconds: float) -> Iterator[float]:
    """Yields the seconds passed, as often as asked; raises TimeoutError after `seconds`. The caller paces it."""
    start = perf_counter()
    while (passed := perf_counter() - start) < seconds:
        yield passed
    raise TimeoutError(f"not finished within {seconds:.0f} s")
