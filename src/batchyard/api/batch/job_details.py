"""A JobDetail, as DescribeJobs shows it (F 3.9): absent is absent, never null; lists AWS fills in are filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

from batchyard.api.batch.compute_environments import cluster_name
from batchyard.api.context import Context
from batchyard.core.arrays import Children
from batchyard.core.jobs import Attempt, Job, JobStatus, Terms
from batchyard.store.jobs import JobRow

_ALWAYS_LISTS = (
    "volumes",
    "environment",
    "mountPoints",
    "ulimits",
    "networkInterfaces",
    "resourceRequirements",
    "secrets",
)


class Clusters:
    """The names of the ECS clusters that compute environments stand for, each looked up once per call."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._names: dict[str, str] = {}

    def arn(self, kind: str, compute_environment: str, tail: str) -> str:
        """The ARN of a task or container instance (`kind`) in the cluster of a compute environment."""
        name = self._names.get(compute_environment)
        if name is None:
            found = self._context.tx.compute_environments.get(compute_environment)
            name = self._names[compute_environment] = cluster_name(compute_environment, found)
        return self._context.arn(f"{kind}/{name}/{tail}", service="ecs")


def job_detail(
    context: Context,
    clusters: Clusters,
    row: JobRow,
    job: Job,
    terms: Terms,
    attempts: Sequence[Attempt],
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """Describe a single job or an array's parent (`job` is the row's own), or one array child."""
    index = job.key.array_index
    job_id = terms.child_id(index)
    resolved = terms.resolved
    timeout = resolved.attempt_duration_seconds
    detail = {
        "jobArn": context.arn(f"job/{job_id}"),
        "jobName": terms.job_name,
        "jobId": job_id,
        "jobQueue": context.arn(f"job-queue/{terms.queue}"),
        "status": job.status.value,
        "attempts": [_attempt_detail(clusters, a) for a in attempts if a.stopped_at is not None],
        "statusReason": job.status_reason,
        "createdAt": job.created_at,
        "retryStrategy": resolved.retry_strategy,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
        "dependsOn": [dict(entry) for entry in terms.depends_on],
        "jobDefinition": context.arn(f"job-definition/{terms.definition}"),
        "parameters": dict(resolved.parameters),
        "container": _container(clusters, terms, attempts[-1] if attempts else None),
        "ecsProperties": resolved.ecs_properties,
        "eksProperties": resolved.eks_properties,
        "arrayProperties": _array_properties(row, index),
        "timeout": None if timeout is None else {"attemptDurationSeconds": timeout},
        "tags": dict(tags),
        "propagateTags": resolved.propagate_tags,
        "platformCapabilities": list(resolved.platform_capabilities),
        "eksAttempts": [],
        "shareIdentifier": row.share_identifier,
        "schedulingPriority": row.scheduling_priority,
        "consumableResourceProperties": resolved.consumable_resource_properties,
        "isCancelled": job.is_cancelled or None,
        "isTerminated": job.is_terminated or None,
    }
    return {name: value for name, value in detail.items() if value is not None}


def status_summary(children: Children) -> dict[str, int]:
    """How many children are in each of the seven states, zeros included (F 4.3)."""
    return {status.value: children.count(status) for status in JobStatus}


def _array_properties(row: JobRow, index: int | None) -> dict[str, Any] | None:
    if row.array_size is None:
        return None
    if index is not None:
        return {"statusSummary": {}, "index": index}
    found: dict[str, Any] = {"statusSummary": {}, "size": row.array_size}
    if row.children is not None:
        found["statusSummary"] = status_summary(row.children)
    if row.children_updated_at is not None:
        found["statusSummaryLastUpdatedAt"] = row.children_updated_at
    return found


def _container(clusters: Clusters, terms: Terms, attempt: Attempt | None) -> dict[str, Any] | None:
    """The effective container properties, and how the latest attempt of them fared."""
    resolved = terms.resolved
    if not resolved.container:
        return None
    found: dict[str, Any] = {name: [] for name in _ALWAYS_LISTS} | dict(resolved.container)
    return found | (_outcome(clusters, attempt) if attempt else {})


def _outcome(clusters: Clusters, attempt: Attempt) -> dict[str, Any]:
    environment, host = attempt.compute_environment, attempt.instance_id.removeprefix("i-")
    found = {
        "exitCode": attempt.exit_code,
        "reason": None if attempt.reason is None else attempt.reason[:255],
        "containerInstanceArn": clusters.arn("container-instance", environment, host),
        "taskArn": clusters.arn("task", environment, attempt.attempt_id),
        "logStreamName": None if attempt.started_at is None else attempt.log_stream,
    }
    return {name: value for name, value in found.items() if value is not None}


def _attempt_detail(clusters: Clusters, attempt: Attempt) -> dict[str, Any]:
    detail = {
        "container": _outcome(clusters, attempt) | {"networkInterfaces": []},
        "startedAt": attempt.started_at,
        "stoppedAt": attempt.stopped_at,
        "statusReason": attempt.status_reason,
    }
    return {name: value for name, value in detail.items() if value is not None}
