"""What a job queue may say (F 8.2; API Reference, CreateJobQueue)."""

from collections.abc import Mapping, Sequence
from typing import Any

from batchyard.core import quotas, refusals
from batchyard.core.names import is_job_name
from batchyard.core.resources import VALID, ComputeEnvironment

HEALTHY = "JobQueue Healthy"
SAGEMAKER_TRAINING = "SAGEMAKER_TRAINING"

_TYPES = {"EC2": "ECS", "FARGATE": "ECS_FARGATE", "MANAGED_INSTANCES": "ECS_MANAGED_INSTANCES"}
_SHORTEST_LIMIT_SECONDS, _LONGEST_LIMIT_SECONDS = 600, 86400


def check_queue_name(name: str) -> None:
    """Raises Refusal for a name that does not fit the pattern, which is that of job names."""
    if not is_job_name(name):
        raise refusals.job_queue_name_invalid()


def check_kind(request: Mapping[str, Any]) -> None:
    """Compute environments or service environments, as the type of the queue asks for. Raises Refusal."""
    wanted = request.get("jobQueueType")
    if request.get("serviceEnvironmentOrder"):
        if request.get("computeEnvironmentOrder"):
            raise refusals.two_environment_orders()
        if wanted not in (None, SAGEMAKER_TRAINING):
            raise refusals.job_queue_type_mismatch(wanted)
    elif wanted == SAGEMAKER_TRAINING:
        raise refusals.sagemaker_queue_needs_service_environments()


def check_order(entries: Sequence[Mapping[str, Any]], limit: int = quotas.ENVIRONMENTS_PER_QUEUE) -> None:
    """An order of environments by itself: one to `limit` entries, no order number twice. Raises Refusal."""
    if not entries:
        raise refusals.environment_order_missing()
    if len(entries) > limit:
        raise refusals.too_many_environments(limit)
    if len({entry["order"] for entry in entries}) < len(entries):
        raise refusals.duplicate_order_values()


def queue_type(environments: Sequence[ComputeEnvironment | None], wanted: str | None) -> str:
    """The jobQueueType that these compute environments make, None standing for an unknown one.

    `wanted` is the type that was asked for, if one was. Raises Refusal for environments that are unknown, not VALID,
    listed twice or of kinds that do not mix, and for a type that is not theirs.
    """
    found = [environment for environment in environments if environment is not None and environment.status == VALID]
    if len(found) < len(environments):
        raise refusals.environments_must_be_valid()
    if len({environment.id for environment in found}) < len(found):
        raise refusals.duplicate_environments()
    types = {_type_of(environment) for environment in found}
    if types == {"ECS", "ECS_FARGATE"}:
        raise refusals.mixed_platforms()
    if len(types) > 1:
        raise refusals.mixed_orchestration()
    (only,) = types
    if wanted is not None and wanted != only:
        raise refusals.job_queue_type_mismatch(wanted)
    return only


def _type_of(environment: ComputeEnvironment) -> str:
    if environment.document.get("containerOrchestrationType") == "EKS":
        return "EKS"
    return _TYPES[environment.platform]


def job_state_time_limit_actions(given: Sequence[Mapping[str, Any]], job_queue_type: str) -> list[dict[str, Any]]:
    """jobStateTimeLimitActions as describe calls echo it. Raises Refusal.

    `state` in an entry is the job status it watches, in AWS's wording.
    """
    valid = "TERMINATE" if job_queue_type == SAGEMAKER_TRAINING else "CANCEL"
    for entry in given:
        if entry["action"] != valid:
            raise refusals.job_state_action_invalid(valid)
        if not _SHORTEST_LIMIT_SECONDS <= entry["maxTimeSeconds"] <= _LONGEST_LIMIT_SECONDS:
            raise refusals.job_state_time_out_of_range()
    if len({(entry["reason"], entry["state"]) for entry in given}) < len(given):
        raise refusals.duplicate_job_state_actions()
    return [dict(entry) for entry in given]
