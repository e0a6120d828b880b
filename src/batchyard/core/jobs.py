"""Jobs and attempts: what changes of them, as frozen rows.

One `Job` serves three kinds (AWS tells them apart by their ids): a single job, the parent of an array, and an array
child. What they were asked to be (command, retry strategy, timeout) never changes after SubmitJob and is kept apart,
in `Terms`, so that the rows the scheduler turns over are small. Rows are named tuples, not dataclasses: a changed copy
of one costs a quarter, and every event makes several.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from batchyard.core.ids import AttemptId, JobId, JobSeq, Millis
from batchyard.core.submission import ResolvedJob
from batchyard.core.training import ServiceTerms


class JobStatus(StrEnum):
    """Where a job is (User Guide, Job states). There is no cancelled state: cancelling ends in FAILED."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def is_terminal(self) -> bool:
        """Whether a job here will never change again."""
        return self is JobStatus.SUCCEEDED or self is JobStatus.FAILED


class StopCause(StrEnum):
    """Why a running attempt is to be ended by us; all but the loss of its host and preemption end the job (F 5.1)."""

    TERMINATED = "TERMINATED"
    TIMED_OUT = "TIMED_OUT"
    HOST_TERMINATED = "HOST_TERMINATED"
    PREEMPTED = "PREEMPTED"


class JobKey(NamedTuple):
    """One schedulable thing: a job by its number, and the array index for an array child."""

    seq: JobSeq
    array_index: int | None = None


def by_parent(keys: Iterable[JobKey]) -> tuple[list[JobSeq], dict[JobSeq, list[int]]]:
    """The numbers of single jobs, and the indexes of array children by the number of their parent; each once."""
    singles: dict[JobSeq, None] = {}
    children: dict[JobSeq, dict[int, None]] = {}
    for seq, index in keys:
        if index is None:
            singles[seq] = None
        else:
            children.setdefault(seq, {})[index] = None
    return list(singles), {seq: list(indexes) for seq, indexes in children.items()}


class Job(NamedTuple):
    """What changes of a job, an array parent or an array child.

    attempt: how many attempts have begun. scheduled_at, started_at: of the latest attempt (F 3.3). requested_reason:
    the reason of a CancelJob or TerminateJob that has been accepted and has not yet ended the job.
    """

    key: JobKey
    status: JobStatus
    created_at: Millis
    status_reason: str | None = None
    scheduled_at: Millis | None = None
    started_at: Millis | None = None
    stopped_at: Millis | None = None
    attempt: int = 0
    is_cancelled: bool = False
    is_terminated: bool = False
    requested_reason: str | None = None


class Attempt(NamedTuple):
    """One attempt from its placement on. Active until `stopped_at` is set; active attempts hold capacity.

    due_at: when attemptDurationSeconds will have passed since started_at.
    """

    key: JobKey
    attempt: int
    attempt_id: AttemptId
    compute_environment: str
    instance_id: str
    vcpus: float
    memory_mib: int
    gpus: int
    placed_at: Millis
    log_group: str
    log_stream: str
    started_at: Millis | None = None
    stopped_at: Millis | None = None
    due_at: Millis | None = None
    stop_wanted: StopCause | None = None
    exit_code: int | None = None
    reason: str | None = None
    status_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a job was submitted as; written once.

    resolved: definition and overrides merged. depends_on: echoed as given. region: that of the submitting signature,
    which the job's environment carries on. queue: its name. definition: `name:revision`. service: what a service job
    is; such a job has no definition. preempted: how many of its attempts were preempted, where that is asked for.
    """

    job_id: JobId
    job_name: str
    queue: str
    definition: str | None
    definition_id: int | None
    resolved: ResolvedJob
    depends_on: tuple[Mapping[str, Any], ...] = ()
    array_size: int | None = None
    region: str = "us-east-1"
    service: ServiceTerms | None = None
    preempted: int = 0

    def child_id(self, array_index: int | None) -> JobId:
        """The id clients know: the job's own, or `<parent>:<index>` for an array child (F 2.2)."""
        return self.job_id if array_index is None else JobId(f"{self.job_id}:{array_index}")
