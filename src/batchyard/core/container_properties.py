"""One container of a job definition: what it may hold, and how describe calls echo it.

The same rules serve containerProperties, a container of ecsProperties and the container of a node range (F 7.3, 7.5).
What AWS fills in is filled in here once, at registration, so that everything later reads whole documents.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from batchyard.core import refusals
from batchyard.core.fargate import check_fargate_container, check_fargate_volumes
from batchyard.core.resource_requirements import required_resources

EMPTY_LISTS = ("command", "environment", "mountPoints", "resourceRequirements", "secrets", "ulimits", "volumes")
"""Members of containerProperties that are echoed as [] when they were not given."""

_IMAGE_CHARACTERS = 255
_USER = re.compile(r"[a-z0-9_][a-z0-9_-]{0,30}")
_VOLUME_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_VOLUME_KINDS = ("host", "efsVolumeConfiguration", "s3filesVolumeConfiguration")
_ROOT_DIRECTORY_CHARACTERS = 4096
_ULIMITS = frozenset(
    {"core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio"}
    | {"rttime", "sigpending", "stack"}
)


def container_properties(given: Mapping[str, Any], *, fargate: bool) -> dict[str, Any]:
    """containerProperties, checked for the platform and with what AWS fills in. Raises Refusal."""
    check_container(given, fargate=fargate)
    check_volumes(given.get("volumes") or (), given.get("mountPoints") or (), fargate=fargate)
    if fargate:
        check_fargate_container(given)
    else:
        _check_no_fargate_members(given)
    echoed = echo_container(given, EMPTY_LISTS)
    if fargate:
        echoed["fargatePlatformConfiguration"] = given.get("fargatePlatformConfiguration") or {
            "platformVersion": "LATEST"
        }
    return echoed


def check_container(given: Mapping[str, Any], *, fargate: bool) -> None:
    """The rules that hold for a container wherever it stands. Raises Refusal."""
    image = given.get("image")
    if not image:
        raise refusals.container_image_missing()
    if len(image) > _IMAGE_CHARACTERS:
        raise refusals.image_too_long()
    required_resources(given, fargate=fargate)
    check_command(given.get("command") or ())
    check_environment(given.get("environment") or ())
    _check_user(given.get("user"))
    _check_ulimits(given.get("ulimits") or ())
    _check_swap(given.get("linuxParameters") or {})


def echo_container(given: Mapping[str, Any], empty_lists: Iterable[str]) -> dict[str, Any]:
    """The container as describe calls show it: empty lists filled in, and variables without a value left out.

    AWS drops variables with an empty value at registration (F 7.3), so the job does not see them either.
    """
    echoed = {**given, **{member: list(given.get(member) or ()) for member in empty_lists}}
    echoed["environment"] = [variable for variable in echoed["environment"] if variable.get("value")]
    if (logging := given.get("logConfiguration")) is not None:
        echoed["logConfiguration"] = {"options": {}, "secretOptions": [], **logging}
    if (linux := given.get("linuxParameters")) is not None:
        devices = [{"permissions": [], **device} for device in linux.get("devices") or ()]
        echoed["linuxParameters"] = {"tmpfs": [], **linux, "devices": devices}
    return echoed


def check_command(command: Iterable[str]) -> None:
    """Refuses what no process can be given."""
    for argument in command:
        if "\0" in argument:
            raise refusals.command_not_representable()


def check_environment(environment: Iterable[Mapping[str, str]]) -> None:
    """Refuses variables without a name, with a name that AWS Batch reserves, or that no process can have."""
    for variable in environment:
        name = variable.get("name")
        if not name:
            raise refusals.environment_name_missing()
        if name.startswith("AWS_BATCH"):
            raise refusals.environment_name_reserved(name)
        if "=" in name or "\0" in name or "\0" in variable.get("value", ""):
            raise refusals.environment_not_representable(name)


def check_volumes(
    volumes: Iterable[Mapping[str, Any]], mount_points: Iterable[Mapping[str, Any]], *, fargate: bool
) -> None:
    """Volumes have a name and one configuration each; mount points name volumes that exist. Raises Refusal."""
    names: set[str] = set()
    for volume in volumes:
        name = volume.get("name") or ""
        if not _VOLUME_NAME.fullmatch(name):
            raise refusals.volume_name_invalid(name)
        if name in names:
            raise refusals.duplicate_volume(name)
        names.add(name)
        if sum(kind in volume for kind in _VOLUME_KINDS) > 1:
            raise refusals.volume_of_two_kinds()
        if (efs := volume.get("efsVolumeConfiguration")) is not None:
            _check_efs(efs)
    for mount_point in mount_points:
        if (source := mount_point.get("sourceVolume") or "") not in names:
            raise refusals.mount_point_without_volume(source)
    if fargate:
        check_fargate_volumes(volumes)


def _check_efs(efs: Mapping[str, Any]) -> None:
    root = efs.get("rootDirectory") or "/"
    authorization = efs.get("authorizationConfig") or {}
    access_point = authorization.get("accessPointId")
    if len(root) > _ROOT_DIRECTORY_CHARACTERS or (access_point and root != "/"):
        raise refusals.efs_root_directory()
    if not 0 <= efs.get("transitEncryptionPort", 0) <= 65535:
        raise refusals.transit_encryption_port()
    uses_authorization = access_point or authorization.get("iam") == "ENABLED"
    if uses_authorization and efs.get("transitEncryption") != "ENABLED":
        raise refusals.efs_needs_transit_encryption()


def _check_user(user: str | None) -> None:
    # `user:group` is allowed as well; each side is a name or a number.
    if user and not all(_USER.fullmatch(part) for part in user.split(":", 1)):
        raise refusals.user_invalid(user)


def _check_ulimits(ulimits: Iterable[Mapping[str, Any]]) -> None:
    for ulimit in ulimits:
        if ulimit["name"] not in _ULIMITS:
            raise refusals.ulimit_name_invalid(ulimit["name"])
        # -1 stands for unlimited, on either side.
        soft, hard = ulimit["softLimit"], ulimit["hardLimit"]
        if hard != -1 and (soft == -1 or soft > hard):
            raise refusals.ulimit_soft_above_hard(ulimit["name"])


def _check_swap(linux: Mapping[str, Any]) -> None:
    if (swap := linux.get("maxSwap")) is not None and swap < 0:
        raise refusals.swap_negative(swap)
    if (swappiness := linux.get("swappiness")) is not None and not 0 <= swappiness <= 100:
        raise refusals.swappiness_out_of_range(swappiness)


def _check_no_fargate_members(given: Mapping[str, Any]) -> None:
    for member in ("networkConfiguration", "fargatePlatformConfiguration"):
        if given.get(member):
            raise refusals.not_applicable_for_ec2(member)
