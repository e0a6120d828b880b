"""From a container of an attempt to the body of the engine's create call (Docker Engine API 1.41, ContainerCreate).

The members of containerProperties have been Docker's since ECS took them over (F 7.3), so this is one line for most:
vCPUs are shares of 1024 each and a quota only where the setting asks for one, memory is a hard limit, swap is counted
on top of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchyard.executors.interface import Container, Isolation, Launch, Ulimit
from batchyard.supervisor.launching import mark_of

ATTEMPT_VARIABLE = "BATCHYARD_ATTEMPT_ID"

_MIB = 1 << 20
_SHARES_PER_VCPU = 1024
_SHARES_MIN = 2
_STRING_BYTES = 128 << 10
_ARGUMENTS_BYTES = 2 << 20  # What the kernel takes with the usual stack; Podman would call the failure an exit.
_PLAIN = Isolation()
_ECS_MODES = {"task": "private"}


class CannotStart(Exception):
    """The container cannot be made or started; the text becomes container.reason."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the container gets from this machine and its settings rather than from the job.

    `gpus` are the numbers of its GPUs, `hide_gpus` whether there are some that it must not see, `gpus_exist` whether
    the engine is to be asked for devices at all. `volumes` is the folder for volumes that the attempt's containers
    share. `log` is the LogConfig, `cgroup_parent` the group about the container's own, None for the engine's choice.
    `position` is the container's in its attempt.
    """

    engine: str
    network: str
    cpu_quota: bool
    labels: Mapping[str, str]
    log: Mapping[str, Any]
    gpus: tuple[int, ...] = ()
    hide_gpus: bool = False
    gpus_exist: bool = False
    has_swap: bool = True
    is_cgroup_v1: bool = False
    cgroup_parent: str | None = None
    position: int = 0
    default_ulimits: tuple[Ulimit, ...] = ()


def create_body(launch: Launch, container: Container, around: Surroundings) -> dict[str, Any]:
    """The JSON of the create call. Raises CannotStart for what no engine can be asked for."""
    isolation = container.isolation or _PLAIN
    if isolation.impossible:
        raise CannotStart(isolation.impossible)
    body: dict[str, Any] = {
        "Image": container.image,
        "Env": _environment(launch, container, around),
        "Labels": dict(around.labels),
        "HostConfig": _host_config(launch, container, isolation, around),
    }
    if any("\0" in argument for argument in container.command):
        raise CannotStart("CannotStartContainerError: a NUL character in the command")
    sizes = [len(text.encode("utf-8", "replace")) + 1 for text in (*container.command, *body["Env"])]
    if max(sizes) > _STRING_BYTES or sum(sizes) > _ARGUMENTS_BYTES:
        raise CannotStart("CannotStartContainerError: argument list too long")
    if container.command:
        body["Cmd"] = list(container.command)
    if isolation.entry_point is not None:
        body["Entrypoint"] = list(isolation.entry_point) or [""]
    if container.user:
        if not all(container.user.partition(":")[::2] if ":" in container.user else (container.user,)):
            raise CannotStart(
                f"CannotStartContainerError: unable to find user {container.user}: no name before or after :"
            )
        body["User"] = container.user
    return body


def _environment(launch: Launch, container: Container, around: Surroundings) -> list[str]:
    environment: dict[str, str] = {}
    if around.hide_gpus and not around.gpus:
        environment |= {"NVIDIA_VISIBLE_DEVICES": "void", "CUDA_VISIBLE_DEVICES": ""}
    environment |= container.environment
    if around.gpus:
        numbers = ",".join(map(str, around.gpus))
        environment |= {"NVIDIA_VISIBLE_DEVICES": numbers, "CUDA_VISIBLE_DEVICES": numbers}
    environment[ATTEMPT_VARIABLE] = mark_of(launch.attempt_id, around.position)
    for name, value in environment.items():
        if not name or "=" in name or "\0" in name or "\0" in value:
            raise CannotStart(f"CannotStartContainerError: {name!r} cannot be an environment variable")
    return [f"{name}={value}" for name, value in environment.items()]


def _host_config(launch: Launch, container: Container, isolation: Isolation, around: Surroundings) -> dict[str, Any]:
    memory = max(1, container.memory_mib) * _MIB
    found: dict[str, Any] = {
        "NetworkMode": around.network,
        "CpuShares": max(_SHARES_MIN, round(container.vcpus * _SHARES_PER_VCPU)),
        "NanoCpus": round(container.vcpus * 1e9) if around.cpu_quota else None,
        "Memory": memory,
        "MemorySwap": memory + max(0, container.max_swap_mib or 0) * _MIB if around.has_swap else None,
        "MemorySwappiness": isolation.swappiness if around.is_cgroup_v1 else None,
        "Ulimits": _ulimits(container.ulimits, around),
        "Privileged": isolation.privileged or None,
        "ReadonlyRootfs": isolation.read_only_root or None,
        "Init": isolation.init_process or None,
        "ShmSize": isolation.shared_memory_mib * _MIB if isolation.shared_memory_mib else None,
        "Tmpfs": {t.path: ",".join((f"size={t.size_mib}m", *t.options)) for t in isolation.tmpfs} or None,
        "Mounts": _mounts(launch, isolation) or None,
        "Devices": _devices(isolation, around) or None,
        "DeviceRequests": _device_requests(around),
        "CapAdd": list(isolation.capabilities_added) or None,
        "CapDrop": list(isolation.capabilities_dropped) or None,
        "SecurityOpt": ["no-new-privileges"] if isolation.no_new_privileges else None,
        "IpcMode": _ECS_MODES.get(isolation.ipc_mode or "", isolation.ipc_mode),
        "PidMode": isolation.pid_mode if isolation.pid_mode == "host" else None,
        "CgroupParent": around.cgroup_parent,
        "LogConfig": dict(around.log),
    }
    return {name: value for name, value in found.items() if value is not None}


def _ulimits(ulimits: tuple[Ulimit, ...], around: Surroundings) -> list[dict[str, Any]] | None:
    """Podman replaces the whole list of its defaults by one that names any limit, so those are named again."""
    if not ulimits:
        return None
    named = {ulimit.name for ulimit in ulimits}
    every = [*ulimits, *(ulimit for ulimit in around.default_ulimits if ulimit.name not in named)]
    for ulimit in ulimits:
        if ulimit.hard_limit != -1 and not -1 < ulimit.soft_limit <= ulimit.hard_limit:
            raise CannotStart(
                f"CannotStartContainerError: ulimit {ulimit.name}: its soft limit is above the hard limit"
            )
    return [{"Name": u.name, "Soft": u.soft_limit, "Hard": u.hard_limit} for u in every]


def volume_name(launch: Launch, volume: str) -> str:
    """The engine's name for a volume that lives as long as the attempt."""
    return f"batchyard-{launch.attempt_id}-{volume}" if volume else f"batchyard-{launch.attempt_id}"


def volume_names(launch: Launch) -> list[str]:
    """All volumes that are made for the attempt."""
    mounts = (mount for container in launch.containers for mount in (container.isolation or _PLAIN).mounts)
    return sorted({volume_name(launch, mount.volume or "") for mount in mounts if mount.source is None})


def _mounts(launch: Launch, isolation: Isolation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for mount in isolation.mounts:
        if mount.source is None:
            source: dict[str, Any] = {"Type": "volume", "Source": volume_name(launch, mount.volume or "")}
        else:
            source = {"Type": "bind", "Source": mount.source}
        found.append({**source, "Target": mount.path, "ReadOnly": mount.read_only})
    return found


def _devices(isolation: Isolation, around: Surroundings) -> list[dict[str, str]]:
    found = [
        {"PathOnHost": device.host_path, "PathInContainer": device.path, "CgroupPermissions": device.permissions}
        for device in isolation.devices
    ]
    if around.engine == "podman" and around.gpus_exist:
        found += [
            {"PathOnHost": f"nvidia.com/gpu={number}", "PathInContainer": "", "CgroupPermissions": ""}
            for number in around.gpus
        ]
    return found


def _device_requests(around: Surroundings) -> list[dict[str, Any]] | None:
    if around.engine == "podman" or not around.gpus or not around.gpus_exist:
        return None
    return [{"DeviceIDs": [str(number) for number in around.gpus], "Capabilities": [["gpu"]]}]


def missing_sources(container: Container) -> list[Path]:
    """Folders of the host that are mounted and do not exist: ECS has Docker make them, so they are made."""
    mounts = (container.isolation or _PLAIN).mounts
    sources = (Path(mount.source) for mount in mounts if mount.source is not None)
    return [source for source in sources if not source.exists()]
