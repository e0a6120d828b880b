"""A day of work as a shared machine sees it, made from a seed: few people with most of the jobs, busy afternoons and
quiet nights, campaigns of many like jobs, and run times with a heavy tail."""

import math
import random
from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

from batchyard.core.ids import Millis
from batchyard.simulator.swf import Trace, TraceJob

_DAY_SECONDS = 86_400
_BINS = 288
_PROCESSORS = ((1, 0.55), (2, 0.2), (4, 0.15), (8, 0.1))
_TAIL = 1.5
"""The exponent of the Pareto tail of run times: a finite mean, an infinite variance."""

_PARETO_MEDIAN = math.pow(2, 1 / _TAIL)
_LONGEST = 12.0
"""The longest run time, in multiples of its executable's median."""

_CAMPAIGN_MEAN = 25
_EXECUTABLES_OF_A_USER = 3
_MIB_PER_PROCESSOR = 2048
SHORT_QUEUE, LONG_QUEUE = 1, 2


@dataclass(frozen=True, slots=True)
class _Executable:
    number: int
    user: int
    processors: int
    median_seconds: float
    queue: int


def synthetic_day(jobs: int, seed: int, processors: int = 64, users: int = 8, load: float = 0.9) -> Trace:
    """A trace of so many jobs, the same for the same arguments. `load`: the processor time that they need, as a part of
    what the machine has in the day."""
    chance = random.Random(seed)  # noqa: S311 - a workload, not a secret
    executables = [_executable(chance, number, users, processors) for number in range(users * _EXECUTABLES_OF_A_USER)]
    drawn: list[tuple[float, _Executable, float]] = []
    while len(drawn) < jobs:
        executable = chance.choice(executables[_user(chance, users) :: users])
        at, size = _hour(chance), min(jobs - len(drawn), math.ceil(chance.expovariate(1 / _CAMPAIGN_MEAN)))
        for _ in range(size):
            drawn.append((at, executable, _run_seconds(chance, executable)))
            at = min(_DAY_SECONDS - 1.0, at + chance.expovariate(1.0))
    drawn.sort(key=lambda one: one[0])
    needed = sum(executable.processors * seconds for _, executable, seconds in drawn)
    scale = load * processors * _DAY_SECONDS / needed
    found = [
        TraceJob(
            number=number,
            submitted_at=Millis(int(at) * 1000),
            run_millis=max(1, round(seconds * scale)) * 1000,
            processors=executable.processors,
            memory_mib=_MIB_PER_PROCESSOR * executable.processors,
            user=executable.user,
            group=1 + executable.user % 3,
            executable=executable.number,
            queue=executable.queue,
        )
        for number, (at, executable, seconds) in enumerate(drawn, 1)
    ]
    return Trace(found, processors)


def _executable(chance: random.Random, number: int, users: int, processors: int) -> _Executable:
    sizes = [size for size, _ in _PROCESSORS if size <= processors]
    size = chance.choices(sizes, [weight for size, weight in _PROCESSORS if size <= processors])[0]
    median = chance.lognormvariate(0.0, 0.5)
    return _Executable(number + 1, number % users + 1, size, median, SHORT_QUEUE if median < 1 else LONG_QUEUE)


def _user(chance: random.Random, users: int) -> int:
    """The n-th has a part of the campaigns in proportion to 1/n."""
    return chance.choices(range(users), [1 / (n + 1) for n in range(users)])[0]


def _activity(hour: float) -> float:
    """How much is submitted at an hour of the day: little at night, most before and after lunch."""
    morning, afternoon = (hour - 10.5) / 2, (hour - 15) / 2.5
    return 0.15 + math.exp(-morning * morning) + math.exp(-afternoon * afternoon)


_CUMULATED = list(accumulate(_activity(24 * (n + 0.5) / _BINS) for n in range(_BINS)))


def _hour(chance: random.Random) -> float:
    """A second of the day."""
    found = bisect(_CUMULATED, chance.random() * _CUMULATED[-1])
    return (found + chance.random()) * _DAY_SECONDS / _BINS


def _run_seconds(chance: random.Random, executable: _Executable) -> float:
    """In units that are scaled to the load afterwards."""
    return executable.median_seconds * min(_LONGEST, chance.paretovariate(_TAIL) / _PARETO_MEDIAN)
