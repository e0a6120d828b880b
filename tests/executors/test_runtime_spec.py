"""The runtime specification as a pure function: what the job says, what the image says, what neither does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from batchyard.executors.interface import Container, Isolation, Mount, Tmpfs, Ulimit
from batchyard.supervisor.containers.image import Image
from batchyard.supervisor.containers.image_user import ImageUser, UnknownUser, image_user
from batchyard.supervisor.containers.prepare_image import full_name
from batchyard.supervisor.containers.runtime_spec import (
    CAPABILITIES,
    CannotContain,
    Ground,
    HostDevice,
    runtime_spec,
)

IMAGE = Image("id", "/store", ("l/A",), "/store/images.json", 0, ("/entry",), ("default",), ("PATH=/image", "B=1=2"))
GROUND = Ground(
    root="/bundle/rootfs",
    hostname="host",
    network="host",
    capabilities=CAPABILITIES | {"SYS_ADMIN"},
    volumes={"v": "/scratch/volumes/v"},
    files={"/etc/hosts": "/bundle/hosts"},
    init="/usr/bin/init",
)
CONTAINER = Container("c", "image", ("do", "it"), {}, 1.0, 64)


def spec(isolation: Isolation | None = None, *, image: Image = IMAGE, ground: Ground = GROUND, **members: Any) -> Any:
    container = replace(CONTAINER, isolation=isolation, **members)
    return runtime_spec(container, image, ImageUser(5, 6, (7,), "/home/five"), {"A": "x", "B": "job"}, ground)


def mounts(found: Any) -> dict[str, Any]:
    return {mount["destination"]: mount for mount in found["mounts"]}


@pytest.mark.parametrize(
    ("isolation", "command", "arguments"),
    [
        (None, ("do", "it"), ["/entry", "do", "it"]),
        (None, (), ["/entry", "default"]),
        (Isolation(entry_point=("own",)), (), ["own"]),
        (Isolation(entry_point=()), ("do",), ["do"]),
        (Isolation(init_process=True), ("do",), ["/dev/init", "--", "/entry", "do"]),
    ],
)
def test_entry_point_and_command(isolation: Isolation | None, command: tuple[str, ...], arguments: list[str]) -> None:
    assert spec(isolation, command=command)["process"]["args"] == arguments


def test_a_container_without_any_command_cannot_be_made() -> None:
    with pytest.raises(CannotContain, match="no command specified"):
        spec(Isolation(entry_point=()), command=())
    with pytest.raises(CannotContain, match="catatonit or tini"):
        spec(Isolation(init_process=True), ground=replace(GROUND, init=None))


def test_the_jobs_variables_win_over_the_images_and_those_over_the_defaults() -> None:
    found = spec()["process"]
    assert sorted(found["env"]) == ["A=x", "B=job", "HOME=/home/five", "HOSTNAME=host", "PATH=/image"]
    assert found["user"] == {"uid": 5, "gid": 6, "additionalGids": [7]}
    assert found["cwd"] == "/"
    assert spec(image=replace(IMAGE, working_folder="/job"))["process"]["cwd"] == "/job"


def test_capabilities() -> None:
    def bounding(isolation: Isolation) -> set[str]:
        return {name.removeprefix("CAP_") for name in spec(isolation)["process"]["capabilities"]["bounding"]}

    assert bounding(Isolation()) == CAPABILITIES
    assert "MKNOD" not in CAPABILITIES
    assert bounding(Isolation(privileged=True)) == GROUND.capabilities
    assert bounding(Isolation(capabilities_dropped=("CHOWN",))) == CAPABILITIES - {"CHOWN"}
    assert bounding(Isolation(capabilities_added=("CAP_SYS_ADMIN",), capabilities_dropped=("ALL",))) == {"SYS_ADMIN"}
    with pytest.raises(CannotContain, match="no capability SYS_TIME to give"):
        spec(Isolation(capabilities_added=("SYS_TIME",)))


def test_limits_without_bound() -> None:
    found = spec(ulimits=(Ulimit("core", -1, -1), Ulimit("nofile", 5, 6)))["process"]["rlimits"]
    assert found == [
        {"type": "RLIMIT_CORE", "soft": 2**64 - 1, "hard": 2**64 - 1},
        {"type": "RLIMIT_NOFILE", "soft": 5, "hard": 6},
    ]


def test_what_is_hidden_from_all_but_the_privileged() -> None:
    plain, privileged = spec(), spec(Isolation(privileged=True))
    assert "/proc/kcore" in plain["linux"]["maskedPaths"]
    assert "ro" in mounts(plain)["/sys"]["options"]
    assert (privileged["linux"]["maskedPaths"], privileged["linux"]["readonlyPaths"]) == ([], [])
    assert "rw" in mounts(privileged)["/sys"]["options"]


@pytest.mark.parametrize(
    ("isolation", "ground", "missing"),
    [
        (Isolation(), GROUND, {"network"}),
        (Isolation(), replace(GROUND, network="none"), set()),
        (Isolation(pid_mode="host"), GROUND, {"network", "pid"}),
        (Isolation(ipc_mode="host"), GROUND, {"network", "ipc"}),
    ],
)
def test_namespaces(isolation: Isolation, ground: Ground, missing: set[str]) -> None:
    found = {namespace["type"] for namespace in spec(isolation, ground=ground)["linux"]["namespaces"]}
    assert {"mount", "uts", "cgroup", "pid", "ipc", "network"} - found == missing


def test_mounts_of_the_job_come_outer_first_and_bear_no_devices() -> None:
    isolation = Isolation(
        mounts=(Mount("/a/b", source="/srv", read_only=True), Mount("/a", volume="v")),
        tmpfs=(Tmpfs("/t", 5, ("exec", "mode=700")),),
        read_only_root=True,
        shared_memory_mib=9,
    )
    found = spec(isolation)
    asked = [mount for mount in found["mounts"] if mount["destination"] in ("/a", "/a/b", "/t")]
    assert [mount["destination"] for mount in asked] == ["/a", "/t", "/a/b"]
    assert asked[0]["source"] == "/scratch/volumes/v"
    assert asked[0]["options"] == ["rbind", "rprivate", "rw", "nodev"]
    assert asked[1]["options"] == ["nosuid", "nodev", "exec", "mode=700", "size=5m"]
    assert asked[2]["options"] == ["rbind", "rprivate", "ro", "nodev"]
    assert found["root"] == {"path": "/bundle/rootfs", "readonly": True}
    assert "size=9m" in mounts(found)["/dev/shm"]["options"]
    assert mounts(found)["/etc/hosts"]["source"] == "/bundle/hosts"


def test_devices() -> None:
    found = spec(ground=replace(GROUND, devices=(HostDevice("/dev/x", "c", 1, 5, 0o600, 1, 2),)))["linux"]["devices"]
    assert found == [{"path": "/dev/x", "type": "c", "major": 1, "minor": 5, "fileMode": 0o600, "uid": 1, "gid": 2}]


# -------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("busybox:1", "docker.io/library/busybox:1"),
        ("me/tool", "docker.io/me/tool"),
        ("localhost/tool:1", "localhost/tool:1"),
        ("host:5000/tool", "host:5000/tool"),
        ("123456789012.dkr.ecr.us-east-1.amazonaws.com/a/b@sha256:0", None),
        ("-v", "docker.io/library/-v"),
    ],
)
def test_an_images_full_name(name: str, full: str | None) -> None:
    assert full_name(name) == (full or name)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", ImageUser(0, 0, (), "/root")),
        ("worker", ImageUser(1234, 1300, (1400,), "/job")),
        ("1234", ImageUser(1234, 1300, (1400,), "/job")),
        ("worker:extra", ImageUser(1234, 1400, (), "/job")),
        ("99", ImageUser(99, 0, (), "/")),
        ("99:98", ImageUser(99, 98, (), "/")),
    ],
)
def test_users_of_an_image(tmp_path: Path, user: str, expected: ImageUser) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nbroken\nworker:x:1234:1300::/job:/bin/sh\n")
    (tmp_path / "etc/group").write_text("workers:x:1300:\nextra:x:1400:worker\n")
    assert image_user(tmp_path, user) == expected


def test_a_link_out_of_the_image_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "image" / "etc").mkdir(parents=True)
    (tmp_path / "passwd").write_text("spy:x:1:1::/:/bin/sh\n")
    (tmp_path / "image/etc/passwd").symlink_to(tmp_path / "passwd")
    with pytest.raises(UnknownUser):
        image_user(tmp_path / "image", "spy")
    assert image_user(tmp_path / "image", "") == ImageUser(0, 0, (), "/root")
