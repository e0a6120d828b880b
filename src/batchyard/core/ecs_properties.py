"""ecsProperties: one ECS task of one to ten containers (F 7.6; User Guide, Multi-container jobs)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from batchyard.core import quotas, refusals
from batchyard.core.container_properties import check_container, check_volumes, echo_container
from batchyard.core.fargate import check_fargate_efs, check_fargate_members, check_fargate_storage

_EMPTY_LISTS = ("command", "dependsOn", "environment", "mountPoints", "resourceRequirements", "secrets", "ulimits")
_CONDITIONS = ("START", "COMPLETE", "SUCCESS")
_IPC_MODES = ("host", "task", "none")
_PID_MODES = ("host", "task")
_ROOT_USERS = (None, "", "0", "root")
_SHORTEST_TIMEOUT_SECONDS, _LONGEST_FARGATE_TIMEOUT_SECONDS = 2, 120


def ecs_properties(given: Mapping[str, Any], *, fargate: bool) -> dict[str, Any]:
    """ecsProperties, checked for the platform and with what AWS fills in. Raises Refusal."""
    tasks: Sequence[Mapping[str, Any]] = given.get("taskProperties") or ()
    if len(tasks) != 1:
        raise refusals.one_task_properties()
    return {"taskProperties": [_task(tasks[0], fargate=fargate)]}


def _task(task: Mapping[str, Any], *, fargate: bool) -> dict[str, Any]:
    containers: Sequence[Mapping[str, Any]] = task.get("containers") or ()
    if not 1 <= len(containers) <= quotas.TASK_CONTAINERS:
        raise refusals.number_of_containers()
    for container in containers:
        check_container(container, fargate=fargate)
        _check_timeouts(container, fargate=fargate)
        if fargate:
            check_fargate_members(container)
    _check_together(containers)
    _check_modes(task)
    volumes = task.get("volumes") or ()
    check_volumes(volumes, [m for container in containers for m in container.get("mountPoints") or ()], fargate=fargate)
    if fargate:
        _check_fargate_task(task, volumes)
    echoed = [{"essential": True, **echo_container(container, _EMPTY_LISTS)} for container in containers]
    return {**task, "containers": echoed, "volumes": list(volumes)}


def _check_fargate_task(task: Mapping[str, Any], volumes: Iterable[Mapping[str, Any]]) -> None:
    if not task.get("executionRoleArn"):
        raise refusals.execution_role_required()
    check_fargate_storage(task)
    check_fargate_efs(volumes, task.get("platformVersion") or "LATEST")


def _check_together(containers: Sequence[Mapping[str, Any]]) -> None:
    essential = {}
    for container in containers:
        if (name := container.get("name")) is not None:
            if name in essential:
                raise refusals.duplicate_container_name(name)
            essential[name] = container.get("essential", True)
    if not any(container.get("essential", True) for container in containers):
        raise refusals.no_essential_container()
    for container in containers:
        _check_dependencies(container.get("dependsOn") or (), essential, alone=len(containers) == 1)
    firelens = any(container.get("firelensConfiguration") for container in containers)
    if firelens and not any(container.get("user") in _ROOT_USERS for container in containers):
        raise refusals.firelens_needs_root()


def _check_dependencies(
    dependencies: Iterable[Mapping[str, str]], essential: Mapping[str, bool], *, alone: bool
) -> None:
    for dependency in dependencies:
        if alone:
            raise refusals.container_dependency_alone()
        name, condition = dependency.get("containerName", ""), dependency.get("condition", "")
        if condition not in _CONDITIONS:
            raise refusals.container_dependency_condition(condition)
        if name not in essential:
            raise refusals.container_dependency_unknown(name)
        if condition != "START" and essential[name]:
            raise refusals.container_dependency_on_essential(condition)


def _check_timeouts(container: Mapping[str, Any], *, fargate: bool) -> None:
    for member in ("startTimeout", "stopTimeout"):
        if (seconds := container.get(member)) is None:
            continue
        if seconds < _SHORTEST_TIMEOUT_SECONDS:
            raise refusals.container_timeout_too_short(member)
        if fargate and seconds > _LONGEST_FARGATE_TIMEOUT_SECONDS:
            raise refusals.container_timeout_too_long(member)


def _check_modes(task: Mapping[str, Any]) -> None:
    if (ipc := task.get("ipcMode")) and ipc not in _IPC_MODES:
        raise refusals.ipc_mode_invalid(ipc)
    if (pid := task.get("pidMode")) and pid not in _PID_MODES:
        raise refusals.pid_mode_invalid(pid)
