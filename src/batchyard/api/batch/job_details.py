"""A JobDetail, as DescribeJobs shows it (F 3.9): absent is absent, never null; lists AWS fills in are filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

from batchyard.api.batch.clusters import Clusters
from batchyard.api.batch.task_details import (
    Fate,
    decisive,
    ecs_properties,
    eks_attempt,
    eks_properties,
    fates,
    task_outcome,
)
from batchyard.api.context import Context
from batchyard.core.arrays import Children
from batchyard.core.jobs import Attempt, Job, JobStatus, Terms
from batchyard.core.resources import Document
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
    found = [fates(context, row.seq, terms, attempt) for attempt in attempts]
    latest = found[-1] if found else []
    ended = [each for each in found if each[0].attempt.stopped_at is not None]
    pod = resolved.eks_properties
    detail = {
        "jobArn": context.arn(f"job/{job_id}"),
        "jobName": terms.job_name,
        "jobId": job_id,
        "jobQueue": context.arn(f"job-queue/{terms.queue}"),
        "status": job.status.value,
        "attempts": [attempt_detail(clusters, resolved.ecs_properties, each) for each in ended] if pod is None else [],
        "statusReason": job.status_reason,
        "createdAt": job.created_at,
        "retryStrategy": resolved.retry_strategy,
        "startedAt": job.started_at,
        "stoppedAt": job.stopped_at,
        "dependsOn": [dict(entry) for entry in terms.depends_on],
        "jobDefinition": context.arn(f"job-definition/{terms.definition}"),
        "parameters": dict(resolved.parameters),
        "container": container_detail(clusters, resolved.container, latest),
        "nodeProperties": resolved.node_properties,
        "ecsProperties": ecs_properties(clusters, resolved.ecs_properties, latest),
        "eksProperties": eks_properties(resolved.eks_properties, latest),
        "arrayProperties": _array_properties(row, index),
        "timeout": None if timeout is None else {"attemptDurationSeconds": timeout},
        "tags": dict(tags),
        "propagateTags": resolved.propagate_tags,
        "platformCapabilities": list(resolved.platform_capabilities),
        "eksAttempts": [] if pod is None else [eks_attempt(pod, each) for each in ended],
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


def container_detail(
    clusters: Clusters, properties: Mapping[str, Any], latest: Sequence[Fate]
) -> dict[str, Any] | None:
    """The effective container properties, and how the latest attempt of them fared."""
    if not properties:
        return None
    found: dict[str, Any] = {name: [] for name in _ALWAYS_LISTS} | dict(properties)
    return found | (_outcome(clusters, latest[0]) if latest else {})


def _outcome(clusters: Clusters, fate: Fate) -> dict[str, Any]:
    return fate.outcome() | {
        "containerInstanceArn": clusters.container_instance_arn(fate.attempt),
        "taskArn": clusters.task_arn(fate.attempt, fate.placed.task_id(fate.attempt.attempt_id)),
        "networkInterfaces": fate.network_interfaces,
    }


def attempt_detail(clusters: Clusters, ecs: Document | None, found: Sequence[Fate]) -> dict[str, Any]:
    """`attempts[]`: an ended attempt of one container, or of those of ecsProperties; of several nodes that of the main
    node, which comes first."""
    attempt = found[0].attempt
    of_first_node = [fate for fate in found if fate.placed.node == found[0].placed.node]
    detail = {
        "container": _outcome(clusters, decisive(of_first_node)) if ecs is None else {},
        "startedAt": attempt.started_at,
        "stoppedAt": attempt.stopped_at,
        "statusReason": attempt.status_reason,
        "taskProperties": None if ecs is None else [task_outcome(clusters, ecs, found)],
    }
    return {name: value for name, value in detail.items() if value is not None}
