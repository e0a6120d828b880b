"""Who wants and who holds the compute environments of a queue, from what the API tells anyone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from batchyard.cli.connection import Connection
from batchyard.cli.containers import resources
from batchyard.cli.jobs import Job, describe, is_array, list_jobs

LOOKED_AT_MAX = 300
"""Jobs of each queue and status; more would make the explanation slower than the wait."""


@dataclass(frozen=True)
class Claim:
    """A job, or an array with what its children do: how many hold capacity, how many wait for it."""

    job: Job
    active: int
    waiting: int

    @property
    def vcpus(self) -> float:
        """What is held."""
        return self.active * resources(self.job)[0]


@dataclass(frozen=True)
class QueueLoad:
    """A queue, its compute environments in order, and every claim on them, also through other queues.

    max_vcpus: of the environments together, None if they do not say. is_partial: there are more jobs than were looked
    at.
    """

    queue: dict[str, Any]
    environments: Sequence[dict[str, Any]]
    claims: Sequence[Claim]
    holders: Sequence[Claim]
    max_vcpus: float | None
    is_partial: bool


def load_of(connection: Connection, queue_arn: str) -> QueueLoad:
    """The load of a queue that exists."""
    batch = connection.batch
    queues = [queue for page in batch.get_paginator("describe_job_queues").paginate() for queue in page["jobQueues"]]
    queue = next(queue for queue in queues if queue_arn in (queue["jobQueueArn"], queue["jobQueueName"]))
    order = _environments(queue)
    answer = batch.describe_compute_environments(computeEnvironments=order) if order else {"computeEnvironments": []}
    environments = sorted(answer["computeEnvironments"], key=lambda found: order.index(found["computeEnvironmentArn"]))
    claims, is_partial = _claims(connection, queue)
    others = [other for other in queues if other is not queue and set(_environments(other)) & set(order)]
    elsewhere = [claim for other in others for claim in _claims(connection, other)[0]]
    limits = [found.get("computeResources", {}).get("maxvCpus") for found in environments]
    return QueueLoad(
        queue=queue,
        environments=environments,
        claims=claims,
        holders=[claim for claim in (*claims, *elsewhere) if claim.active],
        max_vcpus=sum(limits) if limits and None not in limits else None,
        is_partial=is_partial,
    )


def _environments(queue: dict[str, Any]) -> list[str]:
    order = sorted(queue.get("computeEnvironmentOrder", []), key=lambda entry: entry["order"])
    return [entry["computeEnvironment"] for entry in order]


def _claims(connection: Connection, queue: dict[str, Any]) -> tuple[list[Claim], bool]:
    """Arrays are PENDING while their children wait and run, so PENDING jobs are looked at too."""
    summaries: dict[str, Job] = {}
    is_partial = False
    for status in ("PENDING", "RUNNABLE", "STARTING", "RUNNING"):
        found = list(list_jobs(connection, LOOKED_AT_MAX, jobQueue=queue["jobQueueArn"], jobStatus=status))
        is_partial = is_partial or len(found) == LOOKED_AT_MAX
        summaries |= {job["jobId"]: job for job in found}
    return [_claim(job) for job in describe(connection, summaries).values()], is_partial


def _claim(job: Job) -> Claim:
    counts = job["arrayProperties"].get("statusSummary", {}) if is_array(job) else {job["status"]: 1}
    return Claim(job, active=counts.get("STARTING", 0) + counts.get("RUNNING", 0), waiting=counts.get("RUNNABLE", 0))
