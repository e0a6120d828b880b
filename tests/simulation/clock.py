"""Time and chance of a simulated world: a clock that only the world moves, and ids drawn from its seed."""

import random
import uuid

from batchyard.core.ids import AttemptId, JobId, Millis


class SimulatedClock:
    """Milliseconds that pass when the world says so."""

    def __init__(self, start: int = 1_700_000_000_000) -> None:
        self._now = start

    def now(self) -> Millis:
        """Milliseconds since the epoch."""
        return Millis(self._now)

    def advance_to(self, at: int) -> None:
        """Let time pass; it never goes back."""
        self._now = max(self._now, at)


class SeededIds:
    """Ids that are the same whenever the seed is."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(seed)

    def job_id(self) -> JobId:
        """A lower-case UUID."""
        return JobId(str(uuid.UUID(int=self._random.getrandbits(128), version=4)))

    def attempt_id(self) -> AttemptId:
        """32 hex digits."""
        return AttemptId(f"{self._random.getrandbits(128):032x}")
