"""From a container to the create call of an engine."""

from dataclasses import replace
from typing import Any

import pytest

from batchyard.containers.creation import CannotStart, Surroundings, create_body, volume_names
from batchyard.executors.interface import Device, Isolation, Launch, Mount, Tmpfs, Ulimit
from tests.executors.launches import launch

AROUND = Surroundings(engine="docker", network="host", cpu_quota=False, labels={"a": "b"}, log={"Type": "local"})
_MIB = 1 << 20


def body(order: Launch, around: Surroundings = AROUND, **isolation: Any) -> dict[str, Any]:
    """What the engine is asked for."""
    container = replace(order.containers[0], isolation=Isolation(**isolation) if isolation else None)
    return create_body(replace(order, containers=(container,)), container, around)


def test_a_plain_container_asks_for_its_limits_and_nothing_else() -> None:
    order = launch("true", vcpus=0.25, memory_mib=64, environment={"A": "b"})
    found = body(order)
    assert found == {
        "Image": "busybox",
        "Cmd": ["true"],
        "Env": ["A=b", f"BATCHYARD_ATTEMPT_ID={order.attempt_id}"],
        "Labels": {"a": "b"},
        "HostConfig": {
            "NetworkMode": "host",
            "CpuShares": 256,
            "Memory": 64 * _MIB,
            "MemorySwap": 64 * _MIB,
            "LogConfig": {"Type": "local"},
        },
    }


def test_every_member_of_the_isolation_has_its_place() -> None:
    host = body(
        launch("true"),
        replace(AROUND, network="none", cpu_quota=True, is_cgroup_v1=True),
        privileged=True,
        read_only_root=True,
        init_process=True,
        shared_memory_mib=5,
        swappiness=7,
        mounts=(Mount("/in", source="/out", read_only=True), Mount("/own", volume="v")),
        tmpfs=(Tmpfs("/t", 3, ("noexec",)),),
        devices=(Device("/dev/null", "/dev/n", "r"),),
        pid_mode="host",
        ipc_mode="task",
        capabilities_added=("NET_RAW",),
        capabilities_dropped=("ALL",),
        no_new_privileges=True,
    )["HostConfig"]
    assert host["NanoCpus"] == 1_000_000_000
    assert (host["Privileged"], host["ReadonlyRootfs"], host["Init"]) == (True, True, True)
    assert (host["ShmSize"], host["MemorySwappiness"], host["Tmpfs"]) == (5 * _MIB, 7, {"/t": "size=3m,noexec"})
    assert [(m["Type"], m["Target"], m["ReadOnly"]) for m in host["Mounts"]] == [
        ("bind", "/in", True),
        ("volume", "/own", False),
    ]
    assert host["Devices"] == [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/n", "CgroupPermissions": "r"}]
    assert (host["NetworkMode"], host["PidMode"], host["IpcMode"]) == ("none", "host", "private")
    assert (host["CapAdd"], host["CapDrop"]) == (["NET_RAW"], ["ALL"])
    assert host["SecurityOpt"] == ["no-new-privileges"]


def test_gpus_are_asked_for_in_the_engines_own_way() -> None:
    order = launch("true", gpus=2)
    around = replace(AROUND, gpus=(1, 3), gpus_exist=True)
    docker = body(order, around)
    assert docker["HostConfig"]["DeviceRequests"] == [{"DeviceIDs": ["1", "3"], "Capabilities": [["gpu"]]}]
    assert "NVIDIA_VISIBLE_DEVICES=1,3" in docker["Env"]
    podman = body(order, replace(around, engine="podman"))
    assert [device["PathOnHost"] for device in podman["HostConfig"]["Devices"]] == [
        "nvidia.com/gpu=1",
        "nvidia.com/gpu=3",
    ]
    assert "CUDA_VISIBLE_DEVICES=" in body(order, replace(AROUND, hide_gpus=True))["Env"]


def test_podmans_defaults_are_named_beside_the_jobs_ulimits() -> None:
    around = replace(AROUND, default_ulimits=(Ulimit("nofile", 9, 9), Ulimit("nproc", 8, 8)))
    found = body(launch("true", ulimits=(Ulimit("nofile", 1, 2),)), around)["HostConfig"]["Ulimits"]
    assert found == [{"Name": "nofile", "Soft": 1, "Hard": 2}, {"Name": "nproc", "Soft": 8, "Hard": 8}]
    assert "Ulimits" not in body(launch("true"), around)["HostConfig"]


@pytest.mark.parametrize(
    "order",
    [
        launch("a\0b"),
        launch("true", environment={"A=B": "c"}),
        launch("true", environment={"": "c"}),
        launch("true", environment={"A": "\0"}),
        launch("true", "x" * 200_000),
        launch("true", user=":"),
        launch("true", user="root:"),
        launch("true", ulimits=(Ulimit("nofile", 3, 2),)),
    ],
    ids=range(8),
)
def test_what_no_engine_can_be_asked_for_is_a_start_that_failed(order: Launch) -> None:
    with pytest.raises(CannotStart, match=r"^CannotStartContainerError: "):
        body(order)


def test_an_entry_point_replaces_the_images_and_an_empty_one_leaves_none() -> None:
    assert "Entrypoint" not in body(launch("true"))
    assert body(launch("true"), entry_point=("a", "b"))["Entrypoint"] == ["a", "b"]
    assert body(launch("true"), entry_point=())["Entrypoint"] == [""]


def test_volumes_of_an_attempt_are_named_after_it() -> None:
    order = launch("true")
    isolation = Isolation(mounts=(Mount("/a", volume="v"), Mount("/b", volume="v"), Mount("/c", source="/x")))
    order = replace(order, containers=(replace(order.containers[0], isolation=isolation),))
    assert volume_names(order) == [f"batchyard-{order.attempt_id}-v"]
