"""The process executor and its supervisor: the conformance suite, and what only a supervisor of our own can suffer."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchyard.executors.interface import AttemptExited, AttemptLost, AttemptReturned, Capacity, Position, Stop
from batchyard.executors.process import ProcessExecutor, stop_supervisor
from batchyard.executors.supervisor_protocol import PROTOCOL, Hello, connect, frame, supervisor_folder
from tests.executors.conformance import Client, ExecutorConformance, Host, new_mark, sleepers, until
from tests.executors.launches import launch, shell
from tests.executors.task_conformance import TaskConformance

pytestmark = pytest.mark.process


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    data = tmp_path / "data"
    host = Host(data, lambda: ProcessExecutor(data))
    yield host
    host.close()
    stop_supervisor(data, 0.1)


def supervisor_process(data: Path) -> int:
    return int((supervisor_folder(data) / "lock").read_text())


def is_alive(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class TestProcessExecutor(ExecutorConformance, TaskConformance):
    """The contract."""


class TestWithoutControlGroups(ExecutorConformance, TaskConformance):
    """The contract, where the machine lets nobody limit anything: trees are found by other marks."""

    @pytest.fixture
    def host(self, tmp_path: Path) -> Iterator[Host]:
        data = tmp_path / "data"
        host = Host(data, lambda: ProcessExecutor(data, use_control_groups=False))
        yield host
        host.close()
        stop_supervisor(data, 0.1)

    def test_what_is_not_enforced_is_said(self, host: Host) -> None:
        assert set(host.connect().executor.honours()) == {"memory", "vcpus"}

    def test_a_process_may_not_hold_more_than_its_job_asked_for(self, host: Host) -> None:
        hog = launch("tail", "/dev/zero", memory_mib=64)
        decent = shell("head -c 10000000 /dev/zero | tail | wc -c", memory_mib=64)
        exits = host.connect().run(hog, decent)
        assert [found.exit_code for found in exits] == [1, 0]
        assert exits[0].reason is None, "nothing was killed; the program was refused memory and said so"


def test_the_command_is_found_by_the_jobs_own_path(host: Host, tmp_path: Path) -> None:
    own = tmp_path / "bin" / "greet"
    own.parent.mkdir()
    own.write_text("#!/bin/sh\necho hello\n")
    own.chmod(0o755)
    order = launch("greet", environment={"PATH": f"/nowhere:{own.parent}:/bin"})
    host.connect().run(order)
    assert host.text(order) == "hello"


def test_output_beyond_the_cap_is_discarded_and_said(tmp_path: Path) -> None:
    data = tmp_path / "data"
    host = Host(data, lambda: ProcessExecutor(data, log_cap_bytes=10_000))
    try:
        client = host.connect()
        endless = launch("yes")
        client.started(endless)
        until(lambda: host.raw(endless).exists() and host.raw(endless).stat().st_size > 10_000)
        client.order(Stop(endless.attempt_id))
        client.ends([endless.attempt_id])
        assert host.raw(endless).read_bytes() == b"y\n" * 5000 + b"[output beyond 10000 bytes discarded]\n"
    finally:
        host.close()
        stop_supervisor(data, 0)


def test_the_host_keeps_its_name(host: Host) -> None:
    first, second = host.make(), host.make()
    assert first.instance_id == second.instance_id
    assert first.instance_id.startswith("i-")
    assert len(first.instance_id) == 19
    first.close()
    second.close()


def test_a_killed_supervisors_attempts_are_killed_and_reported_lost(host: Host) -> None:
    client = host.connect(vcpus=3)
    mark = new_mark()
    trees = [
        shell(f"trap '' TERM; (setsid setsid sleep {mark} &); env -i setsid sleep {mark} & sleep {mark}")
        for _ in range(3)
    ]
    waiting, done = launch("true"), launch("true")
    client.order(*trees, waiting)
    client.hear(lambda: len(client.reports) == 3)
    until(lambda: len(sleepers(mark)) == 9)
    old = supervisor_process(host.data)
    os.kill(old, signal.SIGKILL)
    ends = client.ends([*(order.attempt_id for order in trees), waiting.attempt_id])
    assert all(isinstance(end, AttemptLost) for end in ends.values())
    assert [ends[order.attempt_id].started_at is None for order in trees] == [False] * 3  # type: ignore[union-attr]
    assert sleepers(mark) == []
    assert client.losses
    assert supervisor_process(host.data) != old
    client.hear(lambda: len(client.observed) > 1)
    assert client.observed[-1].attempts == frozenset()
    assert client.run(done)[0].exit_code == 0


def test_what_ended_before_the_supervisor_was_killed_keeps_its_exit_code(host: Host) -> None:
    client = host.connect()
    order = shell("exit 9")
    client.run(order)
    position = client.position
    client.executor.close()  # else the two would take the supervisor from each other in turns
    os.kill(supervisor_process(host.data), signal.SIGKILL)
    again = host.connect(Position())
    assert [report.exit_code for report in again.reports if isinstance(report, AttemptExited)] == [9]
    assert again.position == position
    again.order(order)
    again.run(launch("true"))
    assert [r.attempt_id for r in again.reports].count(order.attempt_id) == 1


def test_a_supervisor_outlives_its_server_and_there_is_one(host: Host) -> None:
    first = host.connect()
    one = supervisor_process(host.data)
    first.executor.close()
    others = [host.connect() for _ in range(3)]
    assert {supervisor_process(host.data)} == {one}
    others[-1].run(launch("true"))


def test_many_executors_that_start_at_once_share_one_supervisor(host: Host) -> None:
    # Soon idle, since one of the four may start too late to find another alive, and nobody needs it then.
    clients = [Client(ProcessExecutor(host.data, idle_seconds=0.5)) for _ in range(4)]
    host.clients += clients
    for client in clients:
        client.executor.start(Position(), client.messages.put)
    for client in clients:
        client.hear(lambda: bool(client.observed))  # noqa: B023
        client.executor.close()
    log = (supervisor_folder(host.data) / "supervisor.log").read_text()
    assert log.count("serving") == 1


def test_an_idle_supervisor_ends_by_itself_and_a_busy_one_does_not(tmp_path: Path) -> None:
    host = Host(tmp_path, lambda: ProcessExecutor(tmp_path, idle_seconds=0.1))
    client = host.connect()
    order = shell("sleep 0.6; exit 5")
    client.started(order)
    process_id = supervisor_process(tmp_path)
    client.executor.close()
    until(lambda: not is_alive(process_id))
    again = host.connect(client.position)
    assert [report.exit_code for report in again.reports if isinstance(report, AttemptExited)] == [5]
    host.close()


def test_stopping_the_supervisor_stops_its_attempts(host: Host) -> None:
    client = host.connect(vcpus=1)
    mark = new_mark()
    running, waiting = shell(f"setsid sleep {mark} & sleep {mark}"), launch("true")
    client.started(running)
    client.order(waiting)
    process_id = supervisor_process(host.data)
    assert stop_supervisor(host.data, 5)
    until(lambda: not is_alive(process_id))
    assert sleepers(mark) == []
    ends = client.ends([running.attempt_id, waiting.attempt_id])
    assert isinstance(ends[running.attempt_id], AttemptLost)
    assert isinstance(ends[waiting.attempt_id], AttemptReturned)
    client.executor.close()
    assert not list((host.data / "scratch").iterdir())


def test_stopping_where_none_runs_says_so(tmp_path: Path) -> None:
    assert stop_supervisor(tmp_path, 1) is False


def test_a_data_folder_may_lie_deep(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    host = Host(deep, lambda: ProcessExecutor(deep))
    try:
        assert host.connect().run(shell("exit 3"))[0].exit_code == 3
    finally:
        host.close()
        assert stop_supervisor(deep, 0)


@pytest.mark.parametrize(
    "nonsense", [b"\xff\xff\xff\xff", b"\x03\0\0\0abc", b"GET / HTTP/1.1\r\n\r\n", frame([Capacity(1, 1)])]
)
def test_nonsense_on_the_socket_ends_only_that_connection(host: Host, nonsense: bytes) -> None:
    client = host.connect()
    with connect(host.data) as stranger:
        stranger.settimeout(10)
        with contextlib.suppress(ConnectionError):
            stranger.sendall(nonsense)
            assert stranger.recv(100) == b""
    assert client.run(launch("true"))[0].exit_code == 0


def test_another_protocol_is_refused_in_words(host: Host) -> None:
    client = host.connect()
    with connect(host.data) as stranger:
        stranger.settimeout(10)
        stranger.sendall(frame([Hello(999, Position())]))
        assert b"protocol" in stranger.recv(1000)
    assert client.run(launch("true"))[0].exit_code == 0


def test_a_server_that_reads_nothing_holds_up_no_attempt(host: Host, tmp_path: Path) -> None:
    slow = host.connect(vcpus=2)
    slow.executor.close()
    with connect(host.data) as deaf:
        orders = [shell(f"echo >>{tmp_path}/runs") for _ in range(200)]
        deaf.sendall(frame([Hello(PROTOCOL, Position())]) + frame([Capacity(2, 1 << 16)]) + frame(orders))
        until(lambda: (tmp_path / "runs").exists() and (tmp_path / "runs").stat().st_size == 200)
    client = host.connect()
    assert len(client.ends(order.attempt_id for order in orders)) == 200


def test_idle_costs_nothing(host: Host) -> None:
    client = host.connect()
    client.started(launch("sleep", "60"))
    fields = f"/proc/{supervisor_process(host.data)}/stat"
    before = Path(fields).read_text().rpartition(")")[2].split()[11:13]
    deadline = time.monotonic() + 0.5
    until(lambda: time.monotonic() > deadline)
    after = Path(fields).read_text().rpartition(")")[2].split()[11:13]
    assert sum(map(int, after)) - sum(map(int, before)) <= 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("this process may not mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_holds_up_launches_and_reports_and_breaks_nothing(small_disk: Path) -> None:
    data = small_disk / "data"
    host = Host(data, lambda: ProcessExecutor(data))
    try:
        client = host.connect()
        process_id = supervisor_process(data)
        running, writer = shell("sleep 0.3; exit 4"), shell("head -c 5000000 /dev/zero; exit 5")
        client.started(running)
        client.run(writer)
        assert 0 < host.raw(writer).stat().st_size < 1 << 20
        with contextlib.suppress(OSError), (data / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(b"x" * 512)
        orders = [launch("true", environment={"V": "x" * 1000}) for _ in range(500)]
        client.order(*orders)
        client.hear(lambda: len(client.observed) > 1)
        assert client.observed[-1].attempts <= {running.attempt_id}
        (data / "ballast").unlink()
        host.raw(writer).unlink()
        client.ends([running.attempt_id])
        assert {end.exit_code for end in client.run(*orders)} == {0}
        assert supervisor_process(data) == process_id
    finally:
        host.close()
        stop_supervisor(data, 0)


def test_sigterm_ends_the_supervisor_and_its_attempts(host: Host) -> None:
    client = host.connect()
    order = launch("sleep", "60")
    client.started(order)
    process_id = supervisor_process(host.data)
    os.kill(process_id, signal.SIGTERM)
    assert isinstance(client.ends([order.attempt_id])[order.attempt_id], AttemptLost)
    until(lambda: not is_alive(process_id))


def test_a_supervisor_whose_data_folder_is_gone_ends(host: Host) -> None:
    client = host.connect()
    mark = new_mark()
    client.started(launch("sleep", mark))
    process_id = supervisor_process(host.data)
    client.executor.close()
    shutil.rmtree(host.data)
    until(lambda: not is_alive(process_id))
    assert sleepers(mark) == []
