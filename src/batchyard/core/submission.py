"""What a SubmitJob asks to be run: the definition's revision with the request's overrides merged into it (F 6).

Four families of definition come in (containerProperties, ecsProperties, eksProperties, nodeProperties) and one
`ResolvedJob` goes out; what becomes of their containers is in core.resolved_tasks and core.resolved_nodes. Beside that:

* `parameters` are the request's over the definition's (core.parameters).
* `retryStrategy`, `timeout`, `propagateTags` and `schedulingPriorityOverride` each replace the definition's value.
* An empty object or list means that nothing was given.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from batchyard.core import refusals
from batchyard.core.attempt_limits import validate_retry_strategy, validate_timeout
from batchyard.core.job_definitions import check_scheduling_priority, consumable_resource_properties
from batchyard.core.resolved_nodes import node_consumables, resolve_node_properties
from batchyard.core.resolved_tasks import (
    ResolvedContainer,
    ResolvedTask,
    resolve_container_properties,
    resolve_ecs_properties,
    resolve_eks_properties,
)
from batchyard.core.resources import Document, JobDefinition, QueueSettings

_LOG_STREAM_PREFIX_CHARACTERS = 200

_FAMILIES = {
    "containerProperties": "containerOverrides",
    "ecsProperties": "ecsPropertiesOverride",
    "eksProperties": "eksPropertiesOverride",
    "nodeProperties": "nodeOverrides",
}


@dataclass(frozen=True, slots=True)
class ResolvedJob:
    """All that is known of a job before it is placed; an array's children share it.

    `container` and the three `*_properties` after it are what DescribeJobs echoes: the first is empty unless the
    definition has containerProperties. `vcpus`, `memory_mib` and `gpus` are what all containers reserve together.
    `attempts` is 1 without a retry strategy; `retry_strategy` is None then, as DescribeJobs leaves it out (F 3.9).
    `propagate_tags` None: not said. `log_stream_prefix` is for containers without one of their own.
    """

    container: Document
    ecs_properties: Document | None
    eks_properties: Document | None
    node_properties: Document | None
    containers: tuple[ResolvedContainer, ...]
    vcpus: float
    memory_mib: int
    gpus: int
    parameters: Mapping[str, str]
    attempts: int
    retry_strategy: Mapping[str, Any] | None
    attempt_duration_seconds: int | None
    platform_capabilities: tuple[str, ...]
    propagate_tags: bool | None
    scheduling_priority: int | None
    consumable_resource_properties: Document | None
    log_stream_prefix: str


def resolve(definition: JobDefinition, request: Mapping[str, Any]) -> ResolvedJob:
    """Merge a SubmitJob request (members as on the wire) with the revision it names.

    Raises Refusal for whatever SubmitJob refuses in parameters, overrides, retryStrategy, timeout and priority. Queue,
    dependencies, array size, names and tags are not looked at.
    """
    document = definition.document
    family = _check_family(document, request)
    parameters = {**document["parameters"], **(request.get("parameters") or {})}
    task = _resolve_task(family, document, request.get(_FAMILIES[family]) or {}, parameters)
    retry_strategy = validate_retry_strategy(request.get("retryStrategy")) or document.get("retryStrategy")
    timeout = validate_timeout(request.get("timeout")) or document.get("timeout") or {}
    of_nodes = node_consumables(task.echo) if family == "nodeProperties" else None
    return ResolvedJob(
        container=task.echo if family == "containerProperties" else {},
        ecs_properties=task.echo if family == "ecsProperties" else None,
        eks_properties=task.echo if family == "eksProperties" else None,
        node_properties=task.echo if family == "nodeProperties" else None,
        containers=task.containers,
        vcpus=task.resources.vcpus,
        memory_mib=task.resources.memory_mib,
        gpus=task.resources.gpus,
        parameters=parameters,
        attempts=retry_strategy["attempts"] if retry_strategy else 1,
        retry_strategy=retry_strategy,
        attempt_duration_seconds=timeout.get("attemptDurationSeconds"),
        platform_capabilities=tuple(document.get("platformCapabilities") or ()),
        propagate_tags=request.get("propagateTags", document.get("propagateTags")),
        scheduling_priority=_scheduling_priority(document, request),
        consumable_resource_properties=_consumable_resources(document, request) or of_nodes,
        log_stream_prefix=definition.name[:_LOG_STREAM_PREFIX_CHARACTERS],
    )


def with_defaults(resolved: ResolvedJob, settings: QueueSettings) -> ResolvedJob:
    """The job with its queue's timeout and attempts where it has none of its own."""
    if settings.default_timeout_seconds is not None and resolved.attempt_duration_seconds is None:
        resolved = replace(resolved, attempt_duration_seconds=settings.default_timeout_seconds)
    if settings.default_attempts is not None and resolved.retry_strategy is None:
        strategy = {"attempts": settings.default_attempts, "evaluateOnExit": []}
        resolved = replace(resolved, attempts=settings.default_attempts, retry_strategy=strategy)
    return resolved


def _resolve_task(
    family: str, document: Document, override: Mapping[str, Any], parameters: Mapping[str, str]
) -> ResolvedTask:
    if family == "nodeProperties":
        return resolve_node_properties(document[family], override, parameters)
    fargate = "FARGATE" in (document.get("platformCapabilities") or ())
    return _FAMILY_TASK[family](document[family], override, parameters, fargate=fargate)


def check_platform(platform_capabilities: Collection[str], platforms: Collection[str]) -> None:
    """Refuses a job whose definition asks for a capability that none of the queue's compute environments has.

    `platforms` are those of the environments (`ComputeEnvironment.platform`). No capability means EC2.
    """
    wanted = platform_capabilities or ("EC2",)
    if not any(capability in platforms for capability in wanted):
        raise refusals.capability_mismatch(next(iter(wanted)))


def _check_family(document: Document, request: Mapping[str, Any]) -> str:
    family = next(member for member in _FAMILIES if member in document)
    for member, override in _FAMILIES.items():
        if member != family and request.get(override):
            raise refusals.override_not_applicable(override, family)
    return family


def _scheduling_priority(document: Document, request: Mapping[str, Any]) -> int | None:
    override = request.get("schedulingPriorityOverride")
    return document.get("schedulingPriority") if override is None else check_scheduling_priority(override)


def _consumable_resources(document: Document, request: Mapping[str, Any]) -> Document | None:
    override = request.get("consumableResourcePropertiesOverride")
    return consumable_resource_properties(override) if override else document.get("consumableResourceProperties")


_FAMILY_TASK = {
    "containerProperties": resolve_container_properties,
    "ecsProperties": resolve_ecs_properties,
    "eksProperties": resolve_eks_properties,
}
