"""From the members that isolate a container (`core/isolation.py`) to what an executor of containers is told.

What cannot be had is no refusal, since SubmitJob has long answered: the container's start fails with the reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from batchyard.executors.interface import Device, Isolation, Mount, Tmpfs

_PERMISSIONS = {"READ": "r", "WRITE": "w", "MKNOD": "m"}
_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}
_NETWORKS = ("host", "none", "bridge")


class Impossible(Exception):
    """A container that cannot be made here; the text becomes container.reason."""


@dataclass(frozen=True, slots=True)
class IsolationRules:
    """What the operator of this machine allows.

    `volumes`: the folder that stands for an EFS file system, an access point, an S3 file system or a claim, by its id,
    ARN or name. `host_access`: whether jobs may have folders and devices of the host, and be privileged.
    """

    volumes: Mapping[str, str] = field(default_factory=dict)
    host_access: bool = True


def isolation_of(members: Mapping[str, Any], rules: IsolationRules) -> Isolation:
    """The isolation of one container; if it cannot be had, one whose `impossible` says why."""
    try:
        return _isolation(members, rules)
    except Impossible as reason:
        return Isolation(impossible=str(reason))


def _isolation(members: Mapping[str, Any], rules: IsolationRules) -> Isolation:
    linux = members.get("linuxParameters") or {}
    entry_point, network = members.get("entryPoint"), members.get("networkMode")
    privileged, devices = bool(members.get("privileged")), _devices(linux)
    if not rules.host_access and (privileged or devices):
        raise Impossible(
            f"CannotStartContainerError: {'privileged' if privileged else 'linuxParameters.devices'} is not allowed by "
            "the setting host_access of this server"
        )
    return Isolation(
        entry_point=None if entry_point is None else tuple(entry_point),
        privileged=privileged,
        read_only_root=bool(members.get("readonlyRootFilesystem")),
        init_process=bool(linux.get("initProcessEnabled")),
        shared_memory_mib=linux.get("sharedMemorySize"),
        swappiness=linux.get("swappiness"),
        mounts=_mounts(members, rules),
        tmpfs=tuple(
            Tmpfs(_inside(t["containerPath"]), t["size"], tuple(t.get("mountOptions") or ()))
            for t in linux.get("tmpfs") or ()
        ),
        devices=devices,
        network=network if network in _NETWORKS else None,
        ipc_mode=members.get("ipcMode"),
        pid_mode=members.get("pidMode"),
        ephemeral_storage_gib=(members.get("ephemeralStorage") or {}).get("sizeInGiB"),
        architecture=_architecture(members.get("runtimePlatform") or {}),
        pull_policy=members.get("pullPolicy"),
        credentials_parameter=(members.get("repositoryCredentials") or {}).get("credentialsParameter"),
        capabilities_added=tuple(members.get("capAdd") or ()),
        capabilities_dropped=tuple(members.get("capDrop") or ()),
        no_new_privileges=bool(members.get("noNewPrivileges")),
    )


def _architecture(platform: Mapping[str, str]) -> str | None:
    if (family := platform.get("operatingSystemFamily") or "LINUX") != "LINUX":
        raise Impossible(f"CannotStartContainerError: containers of {family} cannot run on Linux")
    return _ARCHITECTURES.get(platform.get("cpuArchitecture") or "")


def _devices(linux: Mapping[str, Any]) -> tuple[Device, ...]:
    return tuple(
        Device(
            device["hostPath"],
            device.get("containerPath") or device["hostPath"],
            "".join(_PERMISSIONS.get(permission, "") for permission in device.get("permissions") or ()) or "rwm",
        )
        for device in linux.get("devices") or ()
    )


def _mounts(members: Mapping[str, Any], rules: IsolationRules) -> tuple[Mount, ...]:
    volumes = {volume["name"]: volume for volume in members.get("volumes") or ()}
    return tuple(
        _mount(point, volumes.get(point.get("sourceVolume"), {}), rules) for point in members.get("mountPoints") or ()
    )


def _mount(point: Mapping[str, Any], volume: Mapping[str, Any], rules: IsolationRules) -> Mount:
    path, read_only = _inside(point.get("containerPath") or ""), bool(point.get("readOnly"))
    folder = _folder(volume, rules)
    if folder is None:
        return Mount(path, volume=point.get("sourceVolume") or "", read_only=read_only)
    return Mount(path, source=_below(folder, point.get("subPath") or ""), read_only=read_only)


def _folder(volume: Mapping[str, Any], rules: IsolationRules) -> str | None:
    """The folder of this machine that a volume is; None for one that is made for the attempt."""
    if source := (volume.get("host") or {}).get("sourcePath"):
        if not rules.host_access:
            raise Impossible("CannotCreateVolumeError: host.sourcePath is not allowed by the setting host_access")
        if not PurePosixPath(source).is_absolute():
            raise Impossible(f"CannotCreateVolumeError: {source} is not an absolute path")
        return _below("/", source)
    given = volume.get("efsVolumeConfiguration") or volume.get("s3filesVolumeConfiguration")
    if not given:
        return None
    system = given.get("fileSystemId") or given.get("fileSystemArn") or ""
    access_point = (given.get("authorizationConfig") or {}).get("accessPointId") or given.get("accessPointArn")
    if access_point and access_point in rules.volumes:
        return rules.volumes[access_point]
    if system not in rules.volumes:
        raise Impossible(f"CannotCreateVolumeError: {system} has no folder in the setting [volumes] of this server")
    return _below(rules.volumes[system], given.get("rootDirectory") or "/")


def _below(folder: str, path: str) -> str:
    """A path within a folder; `..` leads out of none."""
    if ".." in PurePosixPath(path).parts or "\0" in path:
        raise Impossible(f"CannotCreateVolumeError: {path!r} leads out of its volume")
    return str(PurePosixPath(folder) / path.lstrip("/"))


def _inside(path: str) -> str:
    """A path in the container, absolute and without `..`."""
    if not path or "\0" in path or ".." in PurePosixPath(path).parts:
        raise Impossible(f"CannotStartContainerError: {path!r} is no path in a container")
    return str(PurePosixPath("/") / path)
