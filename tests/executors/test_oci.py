"""The oci executor: the conformance suite in real containers, and each property as it is seen from inside."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from batchyard.executors.interface import (
    AttemptExited,
    AttemptLost,
    AttemptReturned,
    Container,
    Device,
    Isolation,
    Launch,
    Mount,
    Order,
    Stop,
    Tmpfs,
    Ulimit,
)
from batchyard.executors.oci import OciExecutor
from batchyard.executors.process import stop_supervisor
from batchyard.executors.supervisor_protocol import ContainerSettings, supervisor_folder
from tests.executors.conformance import ExecutorConformance, Host, new_mark, sleepers, the_only, until
from tests.executors.images import CONFIGURED, PLAIN
from tests.executors.launches import launch, shell
from tests.executors.task_conformance import TaskConformance

pytestmark = pytest.mark.process

_PROGRAMS = ("sh", "sleep", "env", "true", "false", "yes", "cat", "tail")


class InContainers(OciExecutor):
    """Runs the launches of a suite that knows of processes alone: in the plain image, under an init process as shells
    of the host are, with the folder of the test where it is."""

    shared: Path

    def order(self, orders: Sequence[Order]) -> None:
        """Turn each launch into one of containers."""
        super().order([self._contained(o) if isinstance(o, Launch) and not o.in_containers else o for o in orders])

    def _contained(self, order: Launch) -> Launch:
        return replace(order, in_containers=True, containers=tuple(self._with_image(c) for c in order.containers))

    def _with_image(self, container: Container) -> Container:
        share = Mount(str(self.shared), source=str(self.shared))
        isolation = Isolation(init_process=container.command[:1] in [(name,) for name in _PROGRAMS], mounts=(share,))
        return replace(container, image=PLAIN, isolation=isolation)


@pytest.fixture
def host(tmp_path: Path, storage: Path) -> Iterator[Host]:
    yield from host_with(tmp_path, ContainerSettings())


def host_with(tmp_path: Path, settings: ContainerSettings) -> Iterator[Host]:
    data = tmp_path / "data"

    def make() -> OciExecutor:
        executor = InContainers(data, containers=settings)
        executor.shared = tmp_path
        return executor

    host = Host(data, make)
    yield host
    host.close()
    stop_supervisor(data, 0.1)
    assert "Traceback" not in (supervisor_folder(data) / "supervisor.log").read_text()
    left = [path for path in (data / "scratch").rglob("*") if path.name != "rootfs" or not path.is_dir()]
    assert left == [], "nothing is left of any container"


def contained(order: Launch, image: str = PLAIN, **isolation: object) -> Launch:
    """The launch as one of a container."""
    (container,) = order.containers
    made = Isolation(**isolation) if isolation else None  # type: ignore[arg-type]
    return replace(order, in_containers=True, containers=(replace(container, image=image, isolation=made),))


def inside(script: str, **isolation: object) -> Launch:
    """A container that runs a script."""
    return contained(shell(script), **isolation)  # type: ignore[arg-type]


def ended(host: Host, order: Launch) -> AttemptExited:
    """Run it by the one connection of the test."""
    return the_only((host.clients[0] if host.clients else host.connect()).run(order))


def said(host: Host, order: Launch, code: int = 0) -> list[str]:
    """What a container wrote, once it has ended with this exit code."""
    end = ended(host, order)
    text = host.text(order) if host.raw(order).exists() else ""
    assert end.exit_code == code, (end, text)
    return text.splitlines()


def supervisor_process(host: Host) -> int:
    return int((supervisor_folder(host.data) / "lock").read_text())


class TestOciExecutor(ExecutorConformance, TaskConformance):
    """The contract."""

    twenty_seconds = 20.0

    def test_the_working_folder_is_empty_and_gone_afterwards(self, host: Host) -> None:
        order = shell("pwd; mkdir -p /a/b; echo text >/a/b/c; chmod 500 /a; ln -s / /a/b/root")
        assert the_only(host.connect().run(order)).exit_code == 0
        assert host.text(order) == "/"
        folder = host.data / "scratch" / order.attempt_id  # may be kept, empty, for the next attempt
        assert not folder.exists() or not any(folder.iterdir())


# ------------------------------------------------------------------------------------------------------------ the image


def test_the_image_says_what_the_job_leaves_open(host: Host) -> None:
    lines = said(host, contained(launch(), CONFIGURED))
    assert lines == ["from the image", "/job", "1234", "hello"]


def test_a_command_replaces_the_images_and_an_entry_point_leaves_it_out(host: Host) -> None:
    script = "echo $GREETING; id -u; id -G; pwd; echo $HOME"
    order = contained(launch(script, environment={"GREETING": "good day"}), CONFIGURED)
    assert said(host, order) == ["good day", "1234", "1300 1400", "/job", "/job"]
    assert said(host, contained(launch("a", "b"), CONFIGURED, entry_point=("echo",))) == ["a b"]
    assert said(host, contained(launch("echo", "alone"), CONFIGURED, entry_point=())) == ["alone"]


@pytest.mark.parametrize(
    ("user", "expected"), [("worker", "1234 1300"), ("worker:0", "1234 0"), ("1234", "1234 1300"), ("77", "77 0")]
)
def test_users_are_those_of_the_image(host: Host, user: str, expected: str) -> None:
    assert said(host, contained(shell("echo $(id -u) $(id -g)", user=user))) == [expected]
    assert said(host, contained(shell("echo seen >/dev/stdout", user=user))) == ["seen"]


def test_an_image_that_is_not_here_cannot_be_pulled(host: Host) -> None:
    order = contained(launch("true"), "localhost:1/no/such:image")
    end = ended(host, order)
    assert (end.exit_code, end.started_at, end.failed_to_start) == (None, None, True)
    assert end.reason is not None
    assert end.reason.startswith("CannotPullContainerError: ")
    assert host.text(order).startswith("Pulling localhost:1/no/such:image")
    end = ended(host, (contained(launch("true"), "localhost/no:such", pull_policy="never")))
    assert end.reason == (
        "CannotPullContainerError: localhost/no:such is not stored here, and the pull policy is never"
    )


def test_many_that_want_one_image_have_it_prepared_once(host: Host) -> None:
    orders = [contained(launch("true"), CONFIGURED, entry_point=()) for _ in range(12)]
    ends = host.connect(vcpus=12).run(*orders)
    assert {end.exit_code for end in ends} == {0}, ends
    assert [path.name for path in (host.data / "images").iterdir()] == []


def test_what_is_stopped_while_its_image_is_pulled_never_starts(host: Host, storage: Path, tmp_path: Path) -> None:
    """A registry that takes the connection and says nothing makes the pull last."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        name = f"localhost:{deaf.getsockname()[1]}/slow:1"
        client = host.connect()
        order = contained(launch("true"), name)
        client.order(order)
        until(lambda: host.raw(order).exists())
        client.order(Stop(order.attempt_id))
        end = client.ends([order.attempt_id])[order.attempt_id]
        assert isinstance(end, AttemptExited)
        assert (end.exit_code, end.started_at, end.failed_to_start) == (None, None, False)


def test_what_waits_for_its_image_is_returned_when_the_supervisor_ends(host: Host, storage: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        client = host.connect()
        order = contained(launch("true"), f"localhost:{deaf.getsockname()[1]}/slow:1")
        client.order(order)
        until(lambda: host.raw(order).exists())
        stop_supervisor(host.data, 5)
        assert isinstance(client.ends([order.attempt_id])[order.attempt_id], AttemptReturned)


def test_a_new_image_under_an_old_name_is_seen(host: Host, storage: Path) -> None:
    name = f"localhost/batchyard-test/moving:{os.getpid()}"
    client = host.connect()
    for source, greeting in ((PLAIN, ""), (CONFIGURED, "hello")):
        subprocess.run(["podman", "tag", source, name], check=True)
        order = contained(launch("sh", "-c", "echo $GREETING"), name, entry_point=())
        client.run(order)
        assert host.text(order) == greeting
    subprocess.run(["podman", "untag", name], check=True)


# --------------------------------------------------------------------------------------------------- limits from inside


def test_limits_are_in_the_containers_own_control_groups(host: Host) -> None:
    script = (
        "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes"
        " memory/memory.swappiness cpu/cpu.shares 2>/dev/null || cat memory.max memory.swap.max cpu.weight"
    )
    order = shell(script, vcpus=0.5, memory_mib=100)
    (container,) = order.containers
    order = contained(replace(order, containers=(replace(container, max_swap_mib=20),)), swappiness=35)
    lines = said(host, order)
    megabyte = 1 << 20
    if len(lines) == 4:
        assert lines == [str(100 * megabyte), str(120 * megabyte), "35", "512"]
    else:
        assert lines == [str(100 * megabyte), str(20 * megabyte), "50"]


def test_vcpus_are_a_hard_limit_if_the_operator_wants_it(tmp_path: Path, storage: Path) -> None:
    for host in host_with(tmp_path, ContainerSettings(cpu_quota=True)):
        script = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/cpu.max"
        assert said(host, contained(shell(script, vcpus=0.25))) == ["25000"]


def test_ulimits_of_the_job_and_of_this_machine(host: Host) -> None:
    ulimits = (Ulimit("nofile", 64, 128), Ulimit("core", 0, 0))
    assert said(host, contained(shell("ulimit -n; ulimit -Hn; ulimit -c", ulimits=ulimits))) == ["64", "128", "0"]


def test_shared_memory_and_tmpfs_have_their_sizes(host: Host) -> None:
    order = inside(
        "df -m /dev/shm /fast | awk 'NR>1{print $2}'; touch /fast/x && stat -c %a /fast; "
        "for i in fast strict; do cp /bin/busybox /$i; /$i/busybox echo ran || echo no; done",
        shared_memory_mib=12,
        tmpfs=(Tmpfs("/fast", 7, ("exec",)), Tmpfs("/strict", 7)),
    )
    assert [line for line in said(host, order) if "denied" not in line] == ["12", "7", "1777", "ran", "no"]


# --------------------------------------------------------------------------------------------- file systems from inside


def test_a_read_only_root_refuses_writes_and_a_volume_takes_them(host: Host) -> None:
    script = "echo x >/x || echo refused; echo y >/data/y && cat /data/y"
    order = inside(script, read_only_root=True, mounts=(Mount("/data", volume="v"),))
    assert said(host, order)[-2:] == ["refused", "y"]


def test_folders_of_the_host_are_mounted_and_made(host: Host, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "file").write_text("from the host\n")
    order = inside(
        "cat /ro/file; touch /ro/new || echo refused; echo from inside >/rw/deep/file",
        mounts=(
            Mount("/ro", source=str(tmp_path / "given"), read_only=True),
            Mount("/rw/deep", source=str(tmp_path / "made" / "deep")),
        ),
    )
    lines = said(host, order)
    assert (lines[0], lines[-1]) == ("from the host", "refused")
    assert (tmp_path / "made" / "deep" / "file").read_text() == "from inside\n"


def test_a_device_in_a_mounted_folder_opens_nothing(host: Host, tmp_path: Path) -> None:
    os.mknod(tmp_path / "zero", 0o666 | 0o020000, os.makedev(1, 5))
    order = inside("head -c1 /data/zero || echo refused", mounts=(Mount("/data", source=str(tmp_path)),))
    assert said(host, order)[-1] == "refused"


def test_what_a_container_writes_is_its_own(host: Host) -> None:
    for _ in range(2):
        assert said(host, inside("ls /mark 2>/dev/null; touch /mark; mkdir -p /a/b/c/d; echo done")) == ["done"]


# ----------------------------------------------------------------------------------------------- privileges and devices


def test_what_a_container_may_not(host: Host) -> None:
    script = (
        "mount -t tmpfs x /tmp || echo no mount; mknod /n c 1 5 || echo no node;"
        "echo 1 >/proc/sys/kernel/panic || echo no sysctl; grep CapEff /proc/self/status"
    )
    lines = said(host, inside(script))
    assert [line for line in lines if line.startswith("no ")] == ["no mount", "no node", "no sysctl"]
    assert lines[-1].split()[1] == "00000000a00425fb".replace("a00425fb", f"{0xA00425FB & ~(1 << 27):08x}")


def test_privileged_is_all_that_the_supervisor_has(host: Host) -> None:
    own = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapEff:"))
    script = (
        "grep CapEff /proc/self/status | cut -f2; mount -t tmpfs x /tmp && echo mounted; test -c /dev/kmsg && echo node"
    )
    assert said(host, inside(script, privileged=True)) == [own.split()[1], "mounted", "node"]


def test_capabilities_are_added_and_dropped(host: Host) -> None:
    order = inside(
        "grep -E 'CapEff|NoNewPrivs' /proc/self/status | cut -f2",
        capabilities_added=("SYS_PTRACE",),
        capabilities_dropped=("ALL",),
        no_new_privileges=True,
    )
    assert said(host, order) == [f"{1 << 19:016x}", "1"]


def test_devices_of_the_host(host: Host) -> None:
    order = inside("head -c3 /dev/nothing | od -An -tx1", devices=(Device("/dev/zero", "/dev/nothing"),))
    assert said(host, order) == [" 00 00 00"]
    for device, reason in (
        (Device("/dev/no-such", "/dev/x"), "no such file or directory"),
        (Device("/dev/zero", "/dev/x", "r"), "cannot be enforced"),
    ):
        end = ended(host, (inside("true", devices=(device,))))
        assert reason in (end.reason or "")
        assert end.failed_to_start


# ------------------------------------------------------------------------------------------------ processes and network


def test_an_init_process_reaps_orphans(host: Host) -> None:
    """The first process never waits for anybody: what becomes of the orphans shows in the process table."""
    script = "(sleep 0.05 &); (sleep 0.4; ps -o stat,comm | grep -c ^Z) & exec sleep 1"
    assert said(host, inside(script)) == ["1"]
    assert said(host, inside(script, init_process=True)) == ["0"]


def test_a_container_sees_its_own_processes_or_the_hosts(host: Host) -> None:
    assert said(host, inside("echo /proc/[0-9]*")) == ["/proc/1"]
    for kind, mode in (("pid", "pid_mode"), ("ipc", "ipc_mode")):
        shared = str(Path(f"/proc/self/ns/{kind}").readlink())
        assert said(host, inside(f"readlink /proc/self/ns/{kind}", **{mode: "host"})) == [shared]
        assert said(host, inside(f"readlink /proc/self/ns/{kind}")) != [shared]


def test_with_the_hosts_processes_nothing_survives_either(host: Host) -> None:
    mark = new_mark()
    client = host.connect()
    order = inside(f"setsid sleep {mark} & sleep 0.2", pid_mode="host")
    client.started(order)
    client.ends([order.attempt_id])
    assert sleepers(mark) == []


def test_networks(host: Host) -> None:
    links = "ls /sys/class/net | tr '\\n' ' '; cat /etc/hosts; hostname"
    hosts = said(host, inside(links))
    assert hosts[-1] == os.uname().nodename
    assert "\n".join(hosts[:-1]).endswith(Path("/etc/hosts").read_text().rstrip("\n"))
    order = inside("ls /sys/class/net; hostname; ping -c1 -w1 localhost >/dev/null && echo loopback", network="none")
    assert said(host, order) == ["lo", order.attempt_id[:12], "loopback"]


# -------------------------------------------------------------------------------------------------------------- crashes


def test_stop_is_what_the_image_asks_for(host: Host, storage: Path) -> None:
    name = f"localhost/batchyard-test/int:{os.getpid()}"
    archive = storage / "root.tar"
    subprocess.run(["podman", "import", "--quiet", "--change=STOPSIGNAL SIGINT", archive, name], check=True)
    client = host.connect()
    order = contained(shell("trap 'exit 5' INT; trap 'exit 6' TERM; echo ready; while :; do sleep 0.01; done"), name)
    client.started(order)
    until(lambda: host.raw(order).exists())
    client.order(Stop(order.attempt_id))
    end = client.ends([order.attempt_id])[order.attempt_id]
    assert isinstance(end, AttemptExited)
    assert end.exit_code == 5


def test_a_killed_supervisors_containers_are_killed_and_nothing_is_left(host: Host) -> None:
    client = host.connect(vcpus=3)
    mark = new_mark()
    orders = [inside(f"touch /written; (setsid sleep {mark} &) ; sleep {mark}") for _ in range(3)]
    client.order(*orders)
    until(lambda: len(sleepers(mark)) == 6)
    os.kill(supervisor_process(host), signal.SIGKILL)
    ends = client.ends(order.attempt_id for order in orders)
    assert all(isinstance(end, AttemptLost) for end in ends.values())
    assert sleepers(mark) == []
    assert str(host.data) not in Path("/proc/self/mounts").read_text()
    until(lambda: not any((host.data / "scratch").iterdir()))
    client.hear(lambda: len(client.observed) > 1)
    assert client.run(inside("true"))[0].exit_code == 0


def test_a_server_comes_and_goes_and_containers_run_on(host: Host) -> None:
    first = host.connect()
    order = inside("sleep 0.5; echo end; exit 9")
    first.started(order)
    first.executor.close()
    again = host.connect(first.position)
    end = again.ends([order.attempt_id])[order.attempt_id]
    assert isinstance(end, AttemptExited)
    assert end.exit_code == 9
    assert host.text(order) == "end"
    assert end.at - (end.started_at or 0) < 1000 * 30
    assert time.time() * 1000 >= end.at
