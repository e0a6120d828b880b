"""What can happen to a job: one frozen dataclass each, in the past tense.

Times come with the events, since the core knows no clock. `core.lifecycle` says what each does in each status.
"""

from dataclasses import dataclass

from batchyard.core import reasons
from batchyard.core.ids import AttemptId, Millis


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened at `at`."""

    at: Millis


@dataclass(frozen=True, slots=True)
class DependenciesFoundOpen(Event):
    """The first look at the job found a dependency that has not finished."""


@dataclass(frozen=True, slots=True)
class DependenciesSucceeded(Event):
    """Nothing stands in the way any more (or nothing ever did)."""


@dataclass(frozen=True, slots=True)
class DependencyFailed(Event):
    """What this job waits for has ended so that it can never run: a job FAILED, or all SUCCEEDED where it was to run
    after a failure."""

    reason: str = reasons.DEPENDENT_JOB_FAILED


@dataclass(frozen=True, slots=True)
class JobPlaced(Event):
    """The scheduler gave the job capacity; the attempt `attempt_id` begins, and counts from now (F 3.1)."""

    attempt_id: AttemptId
    compute_environment: str
    instance_id: str


@dataclass(frozen=True, slots=True)
class JobBlocked(Event):
    """The scheduler found that the job cannot be placed as things are; `reason` says why (F 3.4), None lifts it."""

    reason: str | None


@dataclass(frozen=True, slots=True)
class AttemptStarted(Event):
    """The attempt's process or container runs."""


@dataclass(frozen=True, slots=True)
class AttemptExited(Event):
    """The attempt ended by itself or because it was stopped; fields as in the executor's report."""

    exit_code: int | None
    reason: str | None = None
    started_at: Millis | None = None
    failed_to_start: bool = False


@dataclass(frozen=True, slots=True)
class AttemptLost(Event):
    """Nobody can say how the attempt ended: its host or supervisor died."""

    started_at: Millis | None = None


@dataclass(frozen=True, slots=True)
class AttemptReturned(Event):
    """A placement was taken back before anything started; it does not count as an attempt."""


@dataclass(frozen=True, slots=True)
class TimeoutReached(Event):
    """attemptDurationSeconds have passed since the attempt started."""


@dataclass(frozen=True, slots=True)
class HostReplaced(Event):
    """The infrastructure of the attempt's compute environment was updated, and its host goes (F 8.3)."""


@dataclass(frozen=True, slots=True)
class PreemptionDecided(Event):
    """A service job with a better claim needs the instance that the attempt holds (F 8.9)."""


@dataclass(frozen=True, slots=True)
class CancelRequested(Event):
    """CancelJob, with the caller's reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class TerminateRequested(Event):
    """TerminateJob, with the caller's reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class QueueDeleted(Event):
    """The job's queue is being deleted, and every job in it ends (F 3.4)."""


@dataclass(frozen=True, slots=True)
class ChildrenSpawned(Event):
    """The first look at an array: its children exist from now on, waiting (F 4.1)."""


@dataclass(frozen=True, slots=True)
class ChildrenFinished(Event):
    """Every child of an array is terminal; `failed` says whether one FAILED (F 4.2)."""

    failed: bool
