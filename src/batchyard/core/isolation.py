"""What a container is to have that a process of the host has not, in one vocabulary for every family of definition.

containerProperties and ecsProperties have it in ECS's members; a pod's container (F 7.7) is put into the same ones:
volumes, mountPoints, linuxParameters, privileged, readonlyRootFilesystem, and where ECS has no member for it, Docker's:
entryPoint, capAdd, capDrop, noNewPrivileges, pullPolicy.
"""

from collections.abc import Mapping
from typing import Any

from batchyard.core.resources import Document

_OF_CONTAINER = ("privileged", "readonlyRootFilesystem", "mountPoints", "repositoryCredentials")
_OF_TASK = ("runtimePlatform", "ephemeralStorage", "ipcMode", "pidMode", "networkMode")
_LINUX = ("devices", "initProcessEnabled", "sharedMemorySize", "tmpfs", "swappiness")
_PULL_POLICIES = {"Always": "always", "IfNotPresent": "if-missing", "Never": "never"}


def isolation_members(container: Mapping[str, Any], task: Mapping[str, Any]) -> Document | None:
    """The members of a container that isolate it; None if there are none, as for most jobs.

    `task` is where its volumes, platform, storage and modes stand: containerProperties itself, or the task of
    ecsProperties.
    """
    linux = container.get("linuxParameters") or {}
    found: dict[str, Any] = {member: container[member] for member in _OF_CONTAINER if container.get(member)}
    found |= {member: task[member] for member in _OF_TASK if task.get(member)}
    if parameters := {member: linux[member] for member in _LINUX if linux.get(member) not in (None, [], False)}:
        found["linuxParameters"] = parameters
    return _with_volumes(found, task.get("volumes") or ())


def _with_volumes(found: dict[str, Any], volumes: Any) -> Document | None:
    """Add those volumes that are mounted."""
    mounted = {point.get("sourceVolume") for point in found.get("mountPoints") or ()}
    if used := [volume for volume in volumes if volume.get("name") in mounted]:
        found["volumes"] = used
    return found or None


def pod_isolation_members(container: Mapping[str, Any], pod: Mapping[str, Any]) -> Document | None:
    """The same of a container of a pod. Its `command` is what Docker calls the entry point, so one that is given, which
    the job's command then begins with, leaves no room for the image's own."""
    security = container.get("securityContext") or {}
    capabilities = security.get("capabilities") or {}
    found = {
        "entryPoint": [] if container.get("command") else None,
        "privileged": security.get("privileged"),
        "readonlyRootFilesystem": security.get("readOnlyRootFilesystem"),
        "noNewPrivileges": security.get("allowPrivilegeEscalation") is False,
        "capAdd": capabilities.get("add"),
        "capDrop": capabilities.get("drop"),
        "pullPolicy": _PULL_POLICIES.get(container.get("imagePullPolicy") or ""),
        "pidMode": "task" if pod.get("shareProcessNamespace") else None,
        "mountPoints": [_mount_point(mount) for mount in container.get("volumeMounts") or ()],
    }
    kept = {member: value for member, value in found.items() if value or (member == "entryPoint" and value == [])}
    return _with_volumes(kept, [_pod_volume(volume) for volume in pod.get("volumes") or ()])


def _mount_point(mount: Mapping[str, Any]) -> Document:
    return {
        "sourceVolume": mount.get("name"),
        "containerPath": mount.get("mountPath"),
        "readOnly": mount.get("readOnly", False),
        "subPath": mount.get("subPath") or "",
    }


def _pod_volume(volume: Mapping[str, Any]) -> Document:
    """hostPath is a host volume; a claim or a secret is a file system with a name of its own, as EFS is."""
    name = volume.get("name")
    if "hostPath" in volume:
        return {"name": name, "host": {"sourcePath": (volume["hostPath"] or {}).get("path")}}
    if claim := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
        return {"name": name, "efsVolumeConfiguration": {"fileSystemId": claim}}
    if secret := (volume.get("secret") or {}).get("secretName"):
        return {"name": name, "efsVolumeConfiguration": {"fileSystemId": secret}}
    return {"name": name}


def pod_user(container: Mapping[str, Any], pod: Mapping[str, Any]) -> str | None:
    """`uid` or `uid:gid` of a pod's container; its own security context wins over the pod's."""
    security = {**(pod.get("securityContext") or {}), **(container.get("securityContext") or {})}
    user, group = security.get("runAsUser"), security.get("runAsGroup")
    if user is None:
        return None
    return f"{user}" if group is None else f"{user}:{group}"
