"""What a SubmitJob asks to be run: the definition's revision with the request's overrides merged into it (F 6).

Three families of definition come in (containerProperties, ecsProperties, eksProperties) and one `ResolvedJob` goes out.
The rules, from the User Guide (Job definition parameters, SubmitJob) and F 6.1 to 6.4:

* `command` replaces, `environment` merges by name, `resourceRequirements` replace by type. An override of a legacy
  member (`vcpus`, `memory`) counts only where the definition is legacy too; one that contradicts a requirement of the
  definition is refused, since ignoring it would run the job with other resources than its submitter asked for.
* `Ref::name` takes its value from the request's parameters over the definition's. An element that is nothing but the
  placeholder becomes the value, as one argument and whatever characters the name has. Inside a longer element
  (`--out=Ref::dir`) the name is the longest run of letters, digits, `_` and `-`. Values are not looked at again. A
  placeholder without a value refuses the job. There is no escape. Pods are left alone: Kubernetes has `$(NAME)`.
* `retryStrategy`, `timeout`, `propagateTags` and `schedulingPriorityOverride` each replace the definition's value.
* An empty object or list means that nothing was given.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from batchyard.core import refusals
from batchyard.core.attempt_limits import validate_retry_strategy, validate_timeout
from batchyard.core.container_properties import check_command, check_environment
from batchyard.core.eks_properties import eks_resources
from batchyard.core.isolation import isolation_members, pod_isolation_members, pod_user
from batchyard.core.job_definitions import check_scheduling_priority, consumable_resource_properties
from batchyard.core.resource_requirements import Resources, required_resources
from batchyard.core.resources import Document, JobDefinition

DEFAULT_LOG_GROUP = "/aws/batch/job"
DEFAULT_CONTAINER = "default"
"""What a container without a name is called, in log streams among others."""

_LOG_STREAM_PREFIX_CHARACTERS = 200

_PLACEHOLDER = re.compile(r"Ref::([A-Za-z0-9_-]+)")
_LEGACY_KINDS = {"vcpus": "VCPU", "memory": "MEMORY"}
_FAMILIES = {
    "containerProperties": "containerOverrides",
    "ecsProperties": "ecsPropertiesOverride",
    "eksProperties": "eksPropertiesOverride",
    "nodeProperties": "nodeOverrides",
}


@dataclass(frozen=True, slots=True)
class ResolvedContainer:
    """One container of the job as it is to run. `environment` holds the user's variables alone; `isolation` what only
    executors of containers look at (`core/isolation.py`)."""

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    vcpus: float
    memory_mib: int
    gpus: int
    user: str | None
    ulimits: tuple[Mapping[str, Any], ...]
    max_swap_mib: int | None
    isolation: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ResolvedJob:
    """All that is known of a job before it is placed; an array's children share it.

    `container`, `ecs_properties` and `eks_properties` are what DescribeJobs echoes: the first is empty unless the
    definition has containerProperties. `vcpus`, `memory_mib` and `gpus` are the sums over the containers. `attempts` is
    1 without a retry strategy; `retry_strategy` is None then, as DescribeJobs leaves it out (F 3.9). `propagate_tags`
    None: not said.
    """

    container: Document
    ecs_properties: Document | None
    eks_properties: Document | None
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
    log_group: str
    log_stream_prefix: str


@dataclass(frozen=True, slots=True)
class _Container:
    """The one container that runs, whichever family it came from; `echo` is keyed by the family's member."""

    echo: Mapping[str, Document]
    effective: Mapping[str, Any]
    command: Sequence[str]
    environment: Mapping[str, str]
    resources: Resources
    user: str | None
    isolation: Document | None


def resolve(definition: JobDefinition, request: Mapping[str, Any]) -> ResolvedJob:
    """Merge a SubmitJob request (members as on the wire) with the revision it names.

    Raises Refusal for whatever SubmitJob refuses in parameters, overrides, retryStrategy, timeout and priority. Queue,
    dependencies, array size, names and tags are not looked at.
    """
    document = definition.document
    family = _check_family(document, request)
    parameters = {**document["parameters"], **(request.get("parameters") or {})}
    container = _FAMILY_CONTAINER[family](definition, request.get(_FAMILIES[family]) or {}, parameters)
    retry_strategy = validate_retry_strategy(request.get("retryStrategy")) or document.get("retryStrategy")
    timeout = validate_timeout(request.get("timeout")) or document.get("timeout") or {}
    effective = container.effective
    logging = (effective.get("logConfiguration") or {}).get("options") or {}
    return ResolvedJob(
        container=container.echo.get("containerProperties", {}),
        ecs_properties=container.echo.get("ecsProperties"),
        eks_properties=container.echo.get("eksProperties"),
        containers=(_resolved_container(container),),
        vcpus=container.resources.vcpus,
        memory_mib=container.resources.memory_mib,
        gpus=container.resources.gpus,
        parameters=parameters,
        attempts=retry_strategy["attempts"] if retry_strategy else 1,
        retry_strategy=retry_strategy,
        attempt_duration_seconds=timeout.get("attemptDurationSeconds"),
        platform_capabilities=tuple(document.get("platformCapabilities") or ()),
        propagate_tags=request.get("propagateTags", document.get("propagateTags")),
        scheduling_priority=_scheduling_priority(document, request),
        consumable_resource_properties=_consumable_resources(document, request),
        log_group=logging.get("awslogs-group") or DEFAULT_LOG_GROUP,
        log_stream_prefix=logging.get("awslogs-stream-prefix") or definition.name[:_LOG_STREAM_PREFIX_CHARACTERS],
    )


def _resolved_container(container: _Container) -> ResolvedContainer:
    effective = container.effective
    return ResolvedContainer(
        name=effective.get("name") or DEFAULT_CONTAINER,
        image=effective["image"],
        command=tuple(container.command),
        environment=container.environment,
        vcpus=container.resources.vcpus,
        memory_mib=container.resources.memory_mib,
        gpus=container.resources.gpus,
        user=container.user,
        ulimits=tuple(effective.get("ulimits") or ()),
        max_swap_mib=(effective.get("linuxParameters") or {}).get("maxSwap"),
        isolation=container.isolation,
    )


def check_platform(platform_capabilities: Collection[str], platforms: Collection[str]) -> None:
    """Refuses a job whose definition asks for a capability that none of the queue's compute environments has.

    `platforms` are those of the environments (`ComputeEnvironment.platform`). No capability means EC2.
    """
    wanted = platform_capabilities or ("EC2",)
    if not any(capability in platforms for capability in wanted):
        raise refusals.capability_mismatch(next(iter(wanted)))


def substitute(command: Sequence[str], parameters: Mapping[str, str]) -> list[str]:
    """The command with every `Ref::name` replaced. Raises Refusal for a name without a value."""
    return [_substitute(element, parameters) if "Ref::" in element else element for element in command]


def _substitute(element: str, parameters: Mapping[str, str]) -> str:
    if element.startswith("Ref::") and (value := parameters.get(element[5:])) is not None:
        return value

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name not in parameters:
            raise refusals.no_parameter_for(name)
        return parameters[name]

    return _PLACEHOLDER.sub(value_of, element)


def _check_family(document: Document, request: Mapping[str, Any]) -> str:
    family = next(member for member in _FAMILIES if member in document)
    for member, override in _FAMILIES.items():
        if member != family and request.get(override):
            raise refusals.override_not_applicable(override, family)
    if family == "nodeProperties":
        raise refusals.multi_node_not_available()
    return family


def _scheduling_priority(document: Document, request: Mapping[str, Any]) -> int | None:
    override = request.get("schedulingPriorityOverride")
    return document.get("schedulingPriority") if override is None else check_scheduling_priority(override)


def _consumable_resources(document: Document, request: Mapping[str, Any]) -> Document | None:
    override = request.get("consumableResourcePropertiesOverride")
    return consumable_resource_properties(override) if override else document.get("consumableResourceProperties")


# --------------------------------------------------------------------------------------------- containerProperties, ECS


def _of_container_properties(
    definition: JobDefinition, override: Mapping[str, Any], parameters: Mapping[str, str]
) -> _Container:
    document = definition.document
    fargate = "FARGATE" in (document.get("platformCapabilities") or ())
    return _ecs_container(
        document["containerProperties"], override, parameters, fargate, extra={"networkInterfaces": []}
    )


def _of_ecs_properties(
    definition: JobDefinition, override: Mapping[str, Any], parameters: Mapping[str, str]
) -> _Container:
    document = definition.document
    task = document["ecsProperties"]["taskProperties"][0]
    (container,) = task["containers"] if len(task["containers"]) == 1 else _refuse_several()
    tasks = override.get("taskProperties") or ()
    if len(tasks) > 1:
        raise refusals.too_many_task_overrides()
    containers = tasks[0].get("containers") if tasks else None
    fargate = "FARGATE" in (document.get("platformCapabilities") or ())
    merged = _ecs_container(container, _override_of(container, containers or ()), parameters, fargate, extra={})
    echo = {"taskProperties": [{**task, "containers": [merged.effective]}]}
    isolation = isolation_members(merged.effective, task)
    return replace(merged, echo={"ecsProperties": echo}, isolation=isolation)


def _ecs_container(
    base: Mapping[str, Any],
    override: Mapping[str, Any],
    parameters: Mapping[str, str],
    fargate: bool,
    extra: Mapping[str, Any],
) -> _Container:
    effective = {**base, **extra}
    if override:
        _override_resources(effective, override)
        check_environment(override.get("environment") or ())
        if override.get("command"):
            effective["command"] = _checked_command(override["command"])
    environment = _merged_environment(effective["environment"], override.get("environment") or ())
    effective["environment"] = [{"name": name, "value": value} for name, value in environment.items()]
    effective["command"] = substitute(effective["command"], parameters)
    check_command(effective["command"])
    resources = required_resources(effective, fargate=fargate)
    return _Container(
        {"containerProperties": effective},
        effective,
        effective["command"],
        environment,
        resources,
        effective.get("user") or None,
        isolation_members(effective, effective),
    )


def _checked_command(command: Sequence[str]) -> Sequence[str]:
    if "" in command:
        raise refusals.empty_command_element()
    return command


def _merged_environment(base: Sequence[Mapping[str, str]], override: Sequence[Mapping[str, str]]) -> dict[str, str]:
    # An override may blank a variable: unlike at registration, its empty value is kept.
    return {variable["name"]: variable.get("value", "") for variable in (*base, *override)}


def _override_resources(effective: dict[str, Any], override: Mapping[str, Any]) -> None:
    required = {requirement["type"]: requirement["value"] for requirement in effective["resourceRequirements"]}
    for member, kind in _LEGACY_KINDS.items():
        if (value := override.get(member)) is None:
            continue
        if kind not in required:
            effective[member] = value
        elif str(value) != required[kind]:
            raise refusals.deprecated_resource_override()
    replaced: dict[str, str] = {}
    for requirement in override.get("resourceRequirements") or ():
        if requirement["type"] in replaced:
            raise refusals.duplicate_resource_requirements()
        replaced[requirement["type"]] = requirement["value"]
    for member, kind in _LEGACY_KINDS.items():
        if kind in replaced:
            effective.pop(member, None)
    effective["resourceRequirements"] = [{"type": t, "value": v} for t, v in {**required, **replaced}.items()]


def _override_of(container: Mapping[str, Any], overrides: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The override meant for the one container there is; one without a name is meant for it too."""
    for override in overrides:
        if override.get("name") not in (None, container.get("name")):
            raise refusals.override_container_not_found(override["name"])
    return overrides[0] if overrides else {}


def _refuse_several() -> Sequence[Any]:
    raise refusals.multi_container_not_available()


# ------------------------------------------------------------------------------------------------------------------ EKS


def _of_eks_properties(
    definition: JobDefinition, override: Mapping[str, Any], _parameters: Mapping[str, str]
) -> _Container:
    pod = definition.document["eksProperties"]["podProperties"]
    if len(pod["containers"]) > 1 or pod.get("initContainers"):
        _refuse_several()
    pod_override = override.get("podProperties") or {}
    base = pod["containers"][0]
    given = _override_of(base, pod_override.get("containers") or ())
    effective = {**base, **{member: value for member, value in given.items() if value}}
    command = [*(effective.get("command") or ()), *(effective.get("args") or ())]
    check_command(command)
    check_environment(given.get("env") or ())
    environment = _merged_environment(base.get("env") or (), given.get("env") or ())
    if environment:
        effective["env"] = [{"name": name, "value": value} for name, value in environment.items()]
    if given.get("resources"):
        effective["resources"] = _merged_eks_resources(base.get("resources") or {}, given["resources"])
    echo = {**pod, "containers": [effective]}
    if metadata := pod_override.get("metadata"):
        echo["metadata"] = {**(pod.get("metadata") or {}), **metadata}
    return _Container(
        {"eksProperties": {"podProperties": echo}},
        effective,
        command,
        environment,
        eks_resources(effective),
        pod_user(effective, pod),
        pod_isolation_members(effective, pod),
    )


def _merged_eks_resources(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    members = [member for member in ("limits", "requests") if base.get(member) or given.get(member)]
    return {member: {**(base.get(member) or {}), **(given.get(member) or {})} for member in members}


_FAMILY_CONTAINER = {
    "containerProperties": _of_container_properties,
    "ecsProperties": _of_ecs_properties,
    "eksProperties": _of_eks_properties,
}
