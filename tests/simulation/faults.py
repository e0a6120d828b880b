"""Where and how often the world breaks. Every point at which the server may die, or a commit may fail, has a name."""

import random
from collections import Counter


class Crash(BaseException):
    """The server process died here: whatever it held in memory is gone, whatever was not committed never happened."""


class DiskFull(OSError):
    """A commit could not be written; the server lives on and tries again."""


class Faults:
    """Throws a seeded dice at each point it is asked about; quiet once `is_on` is False."""

    def __init__(self, seed: str, crash_rate: float, failure_rate: float) -> None:
        self._random = random.Random(seed)
        self._crash_rate = crash_rate
        self._failure_rate = failure_rate
        self.is_on = False
        self.hits: Counter[str] = Counter()

    def may_crash(self, point: str) -> None:
        """A point between two steps that a kill could separate."""
        if self.is_on and self._random.random() < self._crash_rate:
            self.hits[point] += 1
            raise Crash(point)

    def may_fail(self, point: str) -> None:
        """A write that a full disk refuses."""
        if self.is_on and self._random.random() < self._failure_rate:
            self.hits[point] += 1
            raise DiskFull(point)
