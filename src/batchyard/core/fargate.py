"""What Fargate does not allow in a container (F 7.3, 7.4)."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from batchyard.core import refusals

_LOG_DRIVERS = ("awslogs", "splunk", "awsfirelens")
_EC2_LINUX_PARAMETERS = ("devices", "sharedMemorySize", "tmpfs", "maxSwap", "swappiness")
_SMALLEST_STORAGE_GIB, _LARGEST_STORAGE_GIB = 21, 200
_EFS_SINCE = (1, 4, 0)
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}")


def check_fargate_container(given: Mapping[str, Any]) -> None:
    """containerProperties for Fargate, resources aside. Raises Refusal."""
    if not given.get("executionRoleArn"):
        raise refusals.execution_role_required()
    check_fargate_storage(given)
    version = (given.get("fargatePlatformConfiguration") or {}).get("platformVersion") or "LATEST"
    check_fargate_efs(given.get("volumes") or (), version)
    check_fargate_members(given)


def check_fargate_members(given: Mapping[str, Any]) -> None:
    """The members that a container has on EC2 alone, wherever it stands. Raises Refusal."""
    if given.get("privileged"):
        raise refusals.privileged_on_fargate()
    if given.get("ulimits"):
        raise refusals.ulimits_on_fargate()
    linux = given.get("linuxParameters") or {}
    for member in _EC2_LINUX_PARAMETERS:
        if linux.get(member) not in (None, [], {}):
            raise refusals.linux_parameter_on_fargate(member)
    driver = (given.get("logConfiguration") or {}).get("logDriver")
    if driver is not None and driver not in _LOG_DRIVERS:
        raise refusals.log_driver_invalid_for_fargate(driver)


def check_fargate_storage(given: Mapping[str, Any]) -> None:
    """ephemeralStorage of containerProperties or taskProperties. Raises Refusal."""
    size = (given.get("ephemeralStorage") or {}).get("sizeInGiB")
    if size is not None and not _SMALLEST_STORAGE_GIB <= size <= _LARGEST_STORAGE_GIB:
        raise refusals.ephemeral_storage_out_of_range()


def check_fargate_volumes(volumes: Iterable[Mapping[str, Any]]) -> None:
    """A host folder needs a host of one's own. Raises Refusal."""
    for volume in volumes:
        if (volume.get("host") or {}).get("sourcePath"):
            raise refusals.source_path_on_fargate()


def check_fargate_efs(volumes: Iterable[Mapping[str, Any]], version: str) -> None:
    """EFS needs platform version 1.4.0 or later. Raises Refusal."""
    if version == "LATEST" or not any("efsVolumeConfiguration" in volume for volume in volumes):
        return
    if not _VERSION.fullmatch(version) or tuple(map(int, version.split("."))) < _EFS_SINCE:
        raise refusals.efs_platform_version(version)
