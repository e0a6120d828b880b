"""From a definition's members to what an executor of containers is told; the process executor is told nothing."""

from dataclasses import replace
from typing import Any

import pytest

from batchyard.core.ids import Millis
from batchyard.core.job_definitions import job_definition_document
from batchyard.core.resolved_tasks import ResolvedContainer
from batchyard.core.resources import JobDefinition
from batchyard.core.submission import resolve
from batchyard.engine.isolation import IsolationRules, isolation_of
from batchyard.engine.launches import LaunchSettings, launch_of
from batchyard.executors.interface import Device, Isolation, Mount, Tmpfs
from tests.core.rows import attempt, terms

CONTAINER: dict[str, Any] = {"image": "busybox", "vcpus": 1, "memory": 64}
FOLDERS = IsolationRules({"fs-1": "/srv/efs", "fsap-2": "/srv/point", "claim": "/srv/claim"})


def resolved(family: str, properties: dict[str, Any]) -> ResolvedContainer:
    document = job_definition_document({"jobDefinitionName": "d", "type": "container", family: properties})
    return resolve(JobDefinition(1, "d", 1, "ACTIVE", "container", Millis(0), document), {}).containers[0]


def isolation(rules: IsolationRules = FOLDERS, **members: Any) -> Isolation:
    container = resolved("containerProperties", {**CONTAINER, **members})
    assert container.isolation is not None
    return isolation_of(container.isolation, rules)


def mounted(volume: dict[str, Any], rules: IsolationRules = FOLDERS, **point: Any) -> Isolation:
    points = [{"sourceVolume": "v", "containerPath": "/data", **point}]
    return isolation(rules, volumes=[{"name": "v", **volume}, {"name": "unused"}], mountPoints=points)


def test_a_plain_job_has_none() -> None:
    container = resolved("containerProperties", {**CONTAINER, "linuxParameters": {"maxSwap": 0, "devices": []}})
    assert container.isolation is None


def test_each_member_is_carried() -> None:
    found = isolation(
        privileged=True,
        readonlyRootFilesystem=True,
        runtimePlatform={"cpuArchitecture": "ARM64"},
        ephemeralStorage={"sizeInGiB": 30},
        repositoryCredentials={"credentialsParameter": "arn:aws:secretsmanager:us-east-1:1:secret:r"},
        linuxParameters={
            "initProcessEnabled": True,
            "sharedMemorySize": 128,
            "swappiness": 10,
            "tmpfs": [{"containerPath": "/fast", "size": 16, "mountOptions": ["noexec"]}],
            "devices": [
                {"hostPath": "/dev/fuse"},
                {"hostPath": "/dev/a", "containerPath": "/b", "permissions": ["READ"]},
            ],
        },
    )
    assert found == Isolation(
        privileged=True,
        read_only_root=True,
        init_process=True,
        shared_memory_mib=128,
        swappiness=10,
        tmpfs=(Tmpfs("/fast", 16, ("noexec",)),),
        devices=(Device("/dev/fuse", "/dev/fuse"), Device("/dev/a", "/b", "r")),
        ephemeral_storage_gib=30,
        architecture="arm64",
        credentials_parameter="arn:aws:secretsmanager:us-east-1:1:secret:r",
    )


@pytest.mark.parametrize(
    ("volume", "mount"),
    [
        ({}, Mount("/data", volume="v")),
        ({"host": {}}, Mount("/data", volume="v")),
        ({"host": {"sourcePath": "/srv/x"}}, Mount("/data", source="/srv/x")),
        ({"efsVolumeConfiguration": {"fileSystemId": "fs-1"}}, Mount("/data", source="/srv/efs")),
        (
            {"efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/a/b"}},
            Mount("/data", source="/srv/efs/a/b"),
        ),
        (
            {
                "efsVolumeConfiguration": {
                    "fileSystemId": "fs-1",
                    "transitEncryption": "ENABLED",
                    "authorizationConfig": {"accessPointId": "fsap-2"},
                }
            },
            Mount("/data", source="/srv/point"),
        ),
        (
            {"s3filesVolumeConfiguration": {"fileSystemArn": "fs-1", "rootDirectory": "/r"}},
            Mount("/data", source="/srv/efs/r"),
        ),
    ],
)
def test_what_is_mounted(volume: dict[str, Any], mount: Mount) -> None:
    assert mounted(volume).mounts == (mount,)
    assert mounted(volume, readOnly=True).mounts == (replace(mount, read_only=True),)


@pytest.mark.parametrize(
    ("volume", "reason"),
    [
        (
            {"efsVolumeConfiguration": {"fileSystemId": "fs-9"}},
            "CannotCreateVolumeError: fs-9 has no folder in the setting [volumes] of this server",
        ),
        (
            {"efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/../etc"}},
            "CannotCreateVolumeError: '/../etc' leads out of its volume",
        ),
        ({"host": {"sourcePath": "relative"}}, "CannotCreateVolumeError: relative is not an absolute path"),
    ],
)
def test_what_cannot_be_mounted_fails_the_start(volume: dict[str, Any], reason: str) -> None:
    assert mounted(volume) == Isolation(impossible=reason)


@pytest.mark.parametrize(
    "members",
    [
        {"privileged": True},
        {"linuxParameters": {"devices": [{"hostPath": "/dev/fuse"}]}},
        {
            "volumes": [{"name": "v", "host": {"sourcePath": "/etc"}}],
            "mountPoints": [{"sourceVolume": "v", "containerPath": "/data"}],
        },
    ],
)
def test_the_host_is_out_of_reach_where_the_operator_says_so(members: dict[str, Any]) -> None:
    assert isolation(**members).impossible is None
    assert "host_access" in (isolation(replace(FOLDERS, host_access=False), **members).impossible or "")


def test_windows_is_not_run_on_linux() -> None:
    found = isolation(runtimePlatform={"operatingSystemFamily": "WINDOWS_SERVER_2022_CORE"})
    assert found.impossible == "CannotStartContainerError: containers of WINDOWS_SERVER_2022_CORE cannot run on Linux"


def test_a_task_of_ecs_has_the_volumes_and_modes_of_its_containers() -> None:
    task = {
        "ipcMode": "host",
        "pidMode": "task",
        "volumes": [{"name": "v", "host": {"sourcePath": "/srv/x"}}],
        "containers": [
            {
                "name": "c",
                "image": "busybox",
                "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
                "mountPoints": [{"sourceVolume": "v", "containerPath": "/data"}],
            }
        ],
    }
    container = resolved("ecsProperties", {"taskProperties": [task]})
    assert isolation_of(container.isolation or {}, FOLDERS) == Isolation(
        mounts=(Mount("/data", source="/srv/x"),), ipc_mode="host", pid_mode="task"
    )


def test_a_pod_says_the_same_in_its_own_words() -> None:
    container = {
        "image": "busybox",
        "command": ["sh"],
        "args": ["-c", "true"],
        "imagePullPolicy": "Always",
        "resources": {"limits": {"cpu": "1", "memory": "64Mi"}},
        "volumeMounts": [
            {"name": "empty", "mountPath": "/scratch"},
            {"name": "host", "mountPath": "/h", "readOnly": True, "subPath": "sub"},
            {"name": "claimed", "mountPath": "/c"},
        ],
        "securityContext": {
            "runAsUser": 1000,
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["SYS_PTRACE"], "drop": ["ALL"]},
        },
    }
    pod = {
        "containers": [container],
        "securityContext": {"runAsUser": 1, "runAsGroup": 2000},
        "volumes": [
            {"name": "empty", "emptyDir": {}},
            {"name": "host", "hostPath": {"path": "/srv"}},
            {"name": "claimed", "persistentVolumeClaim": {"claimName": "claim"}},
        ],
    }
    found = resolved("eksProperties", {"podProperties": pod})
    assert (found.command, found.user) == (("sh", "-c", "true"), "1000:2000")
    assert isolation_of(found.isolation or {}, FOLDERS) == Isolation(
        entry_point=(),
        read_only_root=True,
        mounts=(
            Mount("/scratch", volume="empty"),
            Mount("/h", source="/srv/sub", read_only=True),
            Mount("/c", source="/srv/claim"),
        ),
        pull_policy="always",
        capabilities_added=("SYS_PTRACE",),
        capabilities_dropped=("ALL",),
        no_new_privileges=True,
    )


def test_only_an_executor_that_isolates_is_told() -> None:
    job = terms()
    (container,) = job.resolved.containers
    job = replace(job, resolved=replace(job.resolved, containers=(replace(container, isolation={"privileged": True}),)))
    assert launch_of(attempt(), job).containers[0].isolation is None
    assert launch_of(attempt(), job, LaunchSettings(IsolationRules())).containers[0].isolation == Isolation(
        privileged=True
    )
    assert launch_of(attempt(), terms(), LaunchSettings(IsolationRules())).containers[0].isolation is None
