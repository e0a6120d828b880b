"""The containers that a definition and a request's overrides come to, for each family of definition (F 6.2, 6.3).

* `command` replaces, `environment` merges by name, `resourceRequirements` replace by type. An override of a legacy
  member (`vcpus`, `memory`) counts only where the definition is legacy too; one that contradicts a requirement of the
  definition is refused, since ignoring it would run the job with other resources than its submitter asked for.
* Containers of ecsProperties and eksProperties are overridden by name. An override without a name is meant for the
  container there is, if there is one only.
* A pod's init containers run one after another, each once the one before it has succeeded; then all others together.
  None is essential: a pod ends when all have ended (User Guide, Amazon EKS jobs).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchyard.core import refusals
from batchyard.core.container_properties import check_command, check_environment
from batchyard.core.eks_properties import check_namespace, eks_resources
from batchyard.core.ids import AttemptId, container_id
from batchyard.core.isolation import isolation_members, pod_isolation_members, pod_user
from batchyard.core.log_options import log_event_start
from batchyard.core.parameters import substitute
from batchyard.core.resource_requirements import Resources, required_resources
from batchyard.core.resources import Document
from batchyard.core.tasks import SUCCESS

DEFAULT_LOG_GROUP = "/aws/batch/job"
DEFAULT_CONTAINER = "default"
"""What a container without a name is called, in log streams among others."""

MAIN_NODE = "main:"
"""What the names of the main node's containers begin with inside a multi-node job."""

_LEGACY_KINDS = {"vcpus": "VCPU", "memory": "MEMORY"}


@dataclass(frozen=True, slots=True)
class ResolvedContainer:
    """One container of the job as it is to run.

    `environment` holds the user's variables alone; `isolation` what only executors of containers look at
    (`core/isolation.py`). `depends_on`: pairs of a container's name and a condition. `log_stream_prefix` None: the
    definition's name. `log_event_start`: a pattern of what a line holds that begins a log event; None where every line
    is one. `nodes`: the nodes of a multi-node job that have such a container each, None in other jobs.
    `expands_variables`: whether `$(NAME)` in the command is a variable. `secrets`: variables by what their values are
    from.
    """

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
    essential: bool = True
    depends_on: tuple[tuple[str, str], ...] = ()
    start_timeout_seconds: int | None = None
    stop_timeout_seconds: int | None = None
    log_group: str = DEFAULT_LOG_GROUP
    log_stream_prefix: str | None = None
    log_event_start: str | None = None
    expands_variables: bool = False
    nodes: tuple[int, ...] | None = None
    secrets: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ResolvedTask:
    """A task or pod. `echo` is its property block as DescribeJobs shows it; `resources` what it reserves."""

    echo: Document
    containers: tuple[ResolvedContainer, ...]
    resources: Resources


@dataclass(frozen=True, slots=True)
class PlacedContainer:
    """A container at its position in an attempt. `task_position` is that of the first container of its task: the nodes
    of a multi-node job are tasks of their own. `label` is its name as the definition has it."""

    position: int
    task_position: int
    node: int
    label: str
    container: ResolvedContainer

    def task_id(self, attempt_id: AttemptId) -> AttemptId:
        """The id of its ECS task."""
        return container_id(attempt_id, self.task_position)

    def log_stream(self, attempt_id: AttemptId, prefix: str) -> str:
        """The stream of its output; `prefix` is the job's, for a container without one of its own (F 3.7)."""
        return f"{self.container.log_stream_prefix or prefix}/{self.label}/{self.task_id(attempt_id)}"


def placed_containers(containers: Sequence[ResolvedContainer]) -> list[PlacedContainer]:
    """Every container of an attempt: those of the main node first, then by node, in each node as defined."""
    if len(containers) == 1 and containers[0].nodes is None:
        return [PlacedContainer(0, 0, 0, containers[0].name, containers[0])]
    placed = [(node, container) for container in containers for node in container.nodes or (0,)]
    placed.sort(key=lambda pair: (not pair[1].name.startswith(MAIN_NODE), pair[0]))
    first: dict[int, int] = {}
    for position, (node, _) in enumerate(placed):
        first.setdefault(node, position)
    return [
        PlacedContainer(position, first[node], node, container.name.rpartition(":")[2], container)
        for position, (node, container) in enumerate(placed)
    ]


# --------------------------------------------------------------------------------------------- containerProperties, ECS


def resolve_container_properties(
    properties: Document, override: Mapping[str, Any], parameters: Mapping[str, str], *, fargate: bool
) -> ResolvedTask:
    """containerProperties with containerOverrides. Raises Refusal."""
    effective = _ecs_effective({**properties, "networkInterfaces": []}, override, parameters)
    container = _ecs_container(effective, effective, DEFAULT_CONTAINER, fargate=fargate)
    return ResolvedTask(effective, (container,), _sum([container]))


def resolve_ecs_properties(
    properties: Document, override: Mapping[str, Any], parameters: Mapping[str, str], *, fargate: bool
) -> ResolvedTask:
    """ecsProperties with ecsPropertiesOverride. Raises Refusal."""
    task = properties["taskProperties"][0]
    tasks = override.get("taskProperties") or ()
    if len(tasks) > 1:
        raise refusals.too_many_task_overrides()
    overrides = _by_name(task["containers"], (tasks[0].get("containers") if tasks else None) or ())
    effective = [
        _ecs_effective(container, overrides.get(position, {}), parameters)
        for position, container in enumerate(task["containers"])
    ]
    containers = tuple(
        _ecs_container(container, task, _name(container, position, len(effective)), fargate=fargate)
        for position, container in enumerate(effective)
    )
    echo = {"taskProperties": [{**task, "containers": effective}]}
    return ResolvedTask(echo, containers, _sum(containers))


def _name(container: Mapping[str, Any], position: int, number: int) -> str:
    return container.get("name") or (DEFAULT_CONTAINER if number == 1 else f"{DEFAULT_CONTAINER}-{position}")


def _ecs_effective(
    base: Mapping[str, Any], override: Mapping[str, Any], parameters: Mapping[str, str]
) -> dict[str, Any]:
    """A container's members after overrides and substitution, as DescribeJobs echoes them."""
    effective = dict(base)
    if override:
        _override_resources(effective, override)
        check_environment(override.get("environment") or ())
        if override.get("command"):
            effective["command"] = _checked_command(override["command"])
    environment = _merged_environment(effective["environment"], override.get("environment") or ())
    effective["environment"] = [{"name": name, "value": value} for name, value in environment.items()]
    effective["command"] = substitute(effective["command"], parameters)
    check_command(effective["command"])
    return effective


def _ecs_container(
    effective: Mapping[str, Any], task: Mapping[str, Any], name: str, *, fargate: bool
) -> ResolvedContainer:
    resources = required_resources(effective, fargate=fargate)
    logging = (effective.get("logConfiguration") or {}).get("options") or {}
    return ResolvedContainer(
        name=name,
        image=effective["image"],
        command=tuple(effective["command"]),
        environment={variable["name"]: variable["value"] for variable in effective["environment"]},
        vcpus=resources.vcpus,
        memory_mib=resources.memory_mib,
        gpus=resources.gpus,
        user=effective.get("user") or None,
        ulimits=tuple(effective.get("ulimits") or ()),
        max_swap_mib=(effective.get("linuxParameters") or {}).get("maxSwap"),
        isolation=isolation_members(effective, task),
        essential=effective.get("essential", True),
        depends_on=tuple((each["containerName"], each["condition"]) for each in effective.get("dependsOn") or ()),
        start_timeout_seconds=effective.get("startTimeout"),
        stop_timeout_seconds=effective.get("stopTimeout"),
        log_group=logging.get("awslogs-group") or DEFAULT_LOG_GROUP,
        log_stream_prefix=logging.get("awslogs-stream-prefix") or None,
        log_event_start=log_event_start(logging),
        secrets={secret["name"]: secret["valueFrom"] for secret in effective.get("secrets") or ()} or None,
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


def _by_name(
    containers: Sequence[Mapping[str, Any]], overrides: Sequence[Mapping[str, Any]]
) -> dict[int, Mapping[str, Any]]:
    """Which container, by position, each override is meant for. Raises Refusal for one that does not exist."""
    positions = {container.get("name"): position for position, container in enumerate(containers)}
    found: dict[int, Mapping[str, Any]] = {}
    for override in overrides:
        name = override.get("name")
        if name is None and len(containers) == 1:
            found[0] = override
        elif name in positions:
            found[positions[name]] = override
        else:
            raise refusals.override_container_not_found(name or "")
    return found


def _sum(containers: Sequence[ResolvedContainer]) -> Resources:
    return Resources(
        sum(container.vcpus for container in containers),
        sum(container.memory_mib for container in containers),
        sum(container.gpus for container in containers),
    )


# ------------------------------------------------------------------------------------------------------------------ EKS


def resolve_eks_properties(
    properties: Document, override: Mapping[str, Any], _parameters: Mapping[str, str], *, fargate: bool
) -> ResolvedTask:
    """eksProperties with eksPropertiesOverride. Raises Refusal."""
    del fargate  # pods know no Fargate
    pod, pod_override = properties["podProperties"], override.get("podProperties") or {}
    inits = _pod_members(pod, pod_override, "initContainers")
    mains = _pod_members(pod, pod_override, "containers")
    resolved_inits: list[ResolvedContainer] = []
    for effective in inits:
        before = ((resolved_inits[-1].name, SUCCESS),) if resolved_inits else ()
        resolved_inits.append(_pod_container(effective, pod, before))
    before = ((resolved_inits[-1].name, SUCCESS),) if resolved_inits else ()
    resolved = [_pod_container(effective, pod, before) for effective in mains]
    echo = {**pod, "containers": mains} | ({"initContainers": inits} if inits else {})
    if metadata := pod_override.get("metadata"):
        check_namespace(metadata)
        echo["metadata"] = {**(pod.get("metadata") or {}), **metadata}
    together = _sum(resolved)
    largest = Resources(
        max(together.vcpus, *(c.vcpus for c in resolved_inits), 0),
        max(together.memory_mib, *(c.memory_mib for c in resolved_inits), 0),
        max(together.gpus, *(c.gpus for c in resolved_inits), 0),
    )
    return ResolvedTask({"podProperties": echo}, (*resolved_inits, *resolved), largest)


def _pod_members(pod: Mapping[str, Any], override: Mapping[str, Any], member: str) -> list[dict[str, Any]]:
    containers = pod.get(member) or ()
    given = _by_name(containers, override.get(member) or ())
    return [_pod_effective(container, given.get(position, {})) for position, container in enumerate(containers)]


def _pod_effective(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    effective = {**base, **{member: value for member, value in given.items() if value}}
    check_command([*(effective.get("command") or ()), *(effective.get("args") or ())])
    check_environment(given.get("env") or ())
    environment = _merged_environment(base.get("env") or (), given.get("env") or ())
    if environment:
        effective["env"] = [{"name": name, "value": value} for name, value in environment.items()]
    if given.get("resources"):
        effective["resources"] = _merged_eks_resources(base.get("resources") or {}, given["resources"])
    return effective


def _pod_container(
    effective: Mapping[str, Any], pod: Mapping[str, Any], depends_on: tuple[tuple[str, str], ...]
) -> ResolvedContainer:
    resources = eks_resources(effective)
    return ResolvedContainer(
        name=effective["name"],
        image=effective["image"],
        command=(*(effective.get("command") or ()), *(effective.get("args") or ())),
        environment={variable["name"]: variable["value"] for variable in effective.get("env") or ()},
        vcpus=resources.vcpus,
        memory_mib=resources.memory_mib,
        gpus=resources.gpus,
        user=pod_user(effective, pod),
        ulimits=(),
        max_swap_mib=None,
        isolation=pod_isolation_members(effective, pod),
        essential=False,
        depends_on=depends_on,
        expands_variables=True,
    )


def _merged_eks_resources(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    members = [member for member in ("limits", "requests") if base.get(member) or given.get(member)]
    return {member: {**(base.get(member) or {}), **(given.get(member) or {})} for member in members}
