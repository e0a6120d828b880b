"""Time and chance, as parameters: a seeded simulation hands in its own."""

import time
import uuid
from typing import Protocol

from batchyard.core.ids import AttemptId, JobId, Millis


class Clock(Protocol):
    """Where the engine learns the time."""

    def now(self) -> Millis:
        """Milliseconds since the epoch."""


class Ids(Protocol):
    """Where new ids come from."""

    def job_id(self) -> JobId:
        """A lower-case UUID."""

    def attempt_id(self) -> AttemptId:
        """32 hex digits, as ECS task ids are."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> Millis:
        """Milliseconds since the epoch."""
        return Millis(time.time_ns() // 1_000_000)


class RandomIds:
    """Random ids, never equal."""

    def job_id(self) -> JobId:
        """A lower-case UUID."""
        return JobId(str(uuid.uuid4()))

    def attempt_id(self) -> AttemptId:
        """32 hex digits."""
        return AttemptId(uuid.uuid4().hex)
