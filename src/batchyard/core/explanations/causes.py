"""The causes there are, and what an explanation consists of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Cause(StrEnum):
    """What keeps a job where it is; docs/why.md has a line for each."""

    SUBMITTED = "SUBMITTED"
    DEPENDENCY = "DEPENDENCY"
    CANCELLED = "CANCELLED"
    CHILDREN = "CHILDREN"
    NEVER_FITS = "NEVER_FITS"
    QUEUE_NOT_VALID = "QUEUE_NOT_VALID"
    COMPUTE_ENVIRONMENT_CLOSED = "COMPUTE_ENVIRONMENT_CLOSED"
    MACHINE_FULL = "MACHINE_FULL"
    COMPUTE_ENVIRONMENT_FULL = "COMPUTE_ENVIRONMENT_FULL"
    BEHIND_IN_QUEUE = "BEHIND_IN_QUEUE"
    OTHER_QUEUE_FIRST = "OTHER_QUEUE_FIRST"
    FAIR_SHARE = "FAIR_SHARE"
    RESERVATION = "RESERVATION"
    QUOTA_SHARE_LIMIT = "QUOTA_SHARE_LIMIT"
    CONSUMABLE_RESOURCE = "CONSUMABLE_RESOURCE"
    MAX_PARALLEL = "MAX_PARALLEL"
    ABOUT_TO_BE_PLACED = "ABOUT_TO_BE_PLACED"
    STARTING = "STARTING"
    WAITS_FOR_SLOT = "WAITS_FOR_SLOT"
    EXECUTOR_UNREACHABLE = "EXECUTOR_UNREACHABLE"
    STOPPING = "STOPPING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


Facts = Mapping[str, Any]
"""A JSON object, its members in camelCase as AWS writes them."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One cause, in one sentence; `details` are further sentences, `facts` the same as data."""

    cause: Cause
    sentence: str
    details: tuple[str, ...] = ()
    facts: Facts = field(default_factory=dict)

    def told(self, *details: str, opening: str = "", **facts: Any) -> "Explanation":
        """The same with more details and facts, and with words in front of its sentence."""
        sentence = f"{opening} {self.sentence}" if opening else self.sentence
        return Explanation(self.cause, sentence, (*self.details, *details), {**self.facts, **facts})


@dataclass(frozen=True, slots=True)
class Mention:
    """Another job, as far as the caller may know of it: without an id it is of a queue that is not theirs."""

    job_id: str | None = None
    job_name: str = ""
    status: str = ""
    job_queue: str = ""

    def __str__(self) -> str:
        return f"{self.job_name} ({self.job_id})" if self.job_id else "a job of another queue"

    @property
    def facts(self) -> Facts:
        """Its id, name, status and queue."""
        if self.job_id is None:
            return {}
        named = {"jobId": self.job_id, "jobName": self.job_name, "jobQueue": self.job_queue}
        return {**named, "status": self.status} if self.status else named


def listed(words: Iterable[str], word: str = "and") -> str:
    """`a, b and c`."""
    *first, last = list(words) or [""]
    return f"{', '.join(first)} {word} {last}" if first else last


def counted(number: float, one: str, many: str | None = None) -> str:
    """`1 job`, `2,000 jobs`."""
    return f"{number:,.10g} {one if number == 1 else many or one + 's'}"
