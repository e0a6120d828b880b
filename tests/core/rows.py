"""Small rows for tests of the core: everything has a default, and a test names only what it is about."""

from typing import Any

from batchyard.core.ids import AttemptId, JobId, JobSeq, Millis
from batchyard.core.jobs import Attempt, Job, JobKey, JobStatus, Terms
from batchyard.core.resolved_tasks import ResolvedContainer
from batchyard.core.submission import ResolvedJob

NOW = Millis(1000)


def job(status: JobStatus = JobStatus.RUNNABLE, **fields: Any) -> Job:
    """A single job, with the fields that its status implies."""
    implied: dict[str, Any] = {}
    if status in (JobStatus.STARTING, JobStatus.RUNNING):
        implied |= {"attempt": 1, "scheduled_at": 500}
    if status is JobStatus.RUNNING:
        implied |= {"started_at": 600}
    if status.is_terminal:
        implied |= {"stopped_at": 700, "status_reason": "over"}
    implied |= {"key": JobKey(JobSeq(1)), "created_at": Millis(0)}
    return Job(status=status, **(implied | fields))


def attempt(**fields: Any) -> Attempt:
    """An active attempt."""
    defaults: dict[str, Any] = {
        "key": JobKey(JobSeq(1)),
        "attempt": 1,
        "attempt_id": AttemptId("a" * 32),
        "compute_environment": "default",
        "instance_id": "i-1",
        "vcpus": 1.0,
        "memory_mib": 100,
        "gpus": 0,
        "placed_at": Millis(500),
        "log_group": "/aws/batch/job",
        "log_stream": "work/default/" + "a" * 32,
    }
    return Attempt(**(defaults | fields))


def terms(
    attempts: int | None = None, evaluate_on_exit: Any = None, timeout_seconds: int | None = None, **fields: Any
) -> Terms:
    """What a job was submitted as."""
    strategy = None if attempts is None else {"attempts": attempts, "evaluateOnExit": evaluate_on_exit or []}
    resolved = ResolvedJob(
        container={},
        ecs_properties=None,
        eks_properties=None,
        node_properties=None,
        containers=(
            ResolvedContainer(
                name="default",
                image="image",
                command=("true",),
                environment={},
                vcpus=1.0,
                memory_mib=100,
                gpus=0,
                user=None,
                ulimits=(),
                max_swap_mib=None,
            ),
        ),
        vcpus=1.0,
        memory_mib=100,
        gpus=0,
        parameters={},
        attempts=attempts or 1,
        retry_strategy=strategy,
        attempt_duration_seconds=timeout_seconds,
        platform_capabilities=(),
        propagate_tags=None,
        scheduling_priority=None,
        consumable_resource_properties=None,
        log_stream_prefix="work",
    )
    defaults: dict[str, Any] = {
        "job_id": JobId("00000000-0000-4000-8000-000000000000"),
        "job_name": "job",
        "queue": "default",
        "definition": "work:1",
        "definition_id": 1,
        "resolved": resolved,
    }
    return Terms(**(defaults | fields))
