"""What executors on a container engine must do: the contract, as far as containers can keep it to the letter, and what
containers add.

The first process of a container is number 1 of its own world, which signals without a handler do not reach; so tests
that kill themselves do it in a child. An engine needs a tenth of a second for what takes a process a millisecond; so
there are fewer of them.
"""

import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchyard.core.ids import container_id
from batchyard.executors.interface import (
    AttemptExited,
    AttemptLost,
    Capacity,
    Device,
    Isolation,
    Mount,
    Position,
    Stop,
    TakeBack,
    Tmpfs,
)
from tests.executors.conformance import (
    END,
    OUT_OF_MEMORY,
    ExecutorConformance,
    Host,
    the_only,
    until,
)
from tests.executors.engines import OwnEngine
from tests.executors.launches import launch, part, shell, task
from tests.executors.task_conformance import TaskConformance, exit_codes, text

if TYPE_CHECKING:
    from batchyard.core.ids import AttemptId


class EngineTaskSuite(TaskConformance):
    """Attempts of several containers."""

    def test_containers_of_a_task_share_a_network_that_is_not_the_hosts(self, host: Host) -> None:
        """The first that waits for none has it, and starts before those that share it."""
        show, isolation = "readlink /proc/self/ns/net", Isolation(network="none", init_process=True)
        order = task(
            part("app", show, ("side", "START"), isolation=isolation),
            part("side", f"{show}; sleep 5", isolation=isolation, essential=False),
            part("host", show, isolation=Isolation(), node=1),
        )
        (end,) = host.connect().run(order)
        assert end.exit_code == 0, end
        mine, sides = text(host, order, 0), text(host, order, 1)
        assert mine == sides != text(host, order, 2)

    def test_volumes_without_a_source_are_shared_and_gone_with_the_attempt(self, host: Host, engine: OwnEngine) -> None:
        isolation = Isolation(mounts=(Mount("/shared", volume="v"),))
        order = task(
            part("app", "cat /shared/file", ("first", "SUCCESS"), isolation=isolation),
            part("first", "echo text >/shared/file", isolation=isolation, essential=False),
        )
        client = host.connect()
        (end,) = client.run(order)
        assert (end.exit_code, text(host, order, 0)) == (0, "text")
        client.executor.acknowledge(client.position)
        second = container_id(order.attempt_id, 1)
        until(lambda: not engine.names_with(order.attempt_id) and not engine.names_with(second))

    def test_a_task_goes_on_after_a_restart_where_it_was(self, host: Host, tmp_path: Path) -> None:
        """What was never begun is begun then, what ended meanwhile counts, and nothing runs twice."""
        note, gate = tmp_path / "note", tmp_path / "gate"
        order = task(
            part("app", f"echo app >>{note}; exit 4", ("first", "SUCCESS")),
            part("first", f"echo first >>{note}; while [ ! -e {gate} ]; do sleep 0.05; done", essential=False),
            part("never", f"echo never >>{note}", ("quick", "SUCCESS"), essential=False),
            part("quick", f"echo quick >>{note}; exit 1", essential=False),
        )
        first = host.connect()
        first.started(order)
        until(lambda: note.exists() and len(note.read_text().split()) == 2)
        first.executor.close()
        gate.touch()
        second = host.connect(first.position)
        assert second.observed[0].attempts == {order.attempt_id}
        end = second.ends([order.attempt_id])[order.attempt_id]
        assert isinstance(end, AttemptExited)
        assert (end.exit_code, exit_codes(end)) == (4, [4, 0, None, 1])
        assert sorted(note.read_text().split()) == ["app", "first", "quick"]

    def test_a_task_that_waits_for_its_turn_waits_across_a_restart(
        self, host: Host, engine: OwnEngine, tmp_path: Path
    ) -> None:
        gate = tmp_path / "gate"
        wait = f"while [ ! -e {gate} ]; do sleep 0.05; done"
        running, waiting = task(part("a", wait), part("b", wait)), task(part("a", "exit 3"), part("b", "exit 3"))
        first = host.connect(vcpus=0.5)
        first.started(running)
        first.order(waiting)
        second = container_id(waiting.attempt_id, 1)
        until(lambda: bool(engine.names_with(second)) and bool(engine.names_with(waiting.attempt_id)))
        first.executor.close()
        client = host.connect(first.position, vcpus=0.5)
        assert client.observed[0].attempts == {running.attempt_id, waiting.attempt_id}
        gate.touch()
        ends = client.ends([running.attempt_id, waiting.attempt_id])
        end = ends[waiting.attempt_id]
        assert isinstance(end, AttemptExited)
        assert end.exit_code == 3

    def test_a_member_removed_by_somebody_else_ends_the_rest(self, host: Host, engine: OwnEngine) -> None:
        client = host.connect()
        order = task(part("app", "echo up; sleep 60"), part("side", "echo up; sleep 60", essential=False))
        client.order(order)
        until(lambda: all(text(host, order, position) == "up" for position in (0, 1)))
        engine.remove(container_id(order.attempt_id, 1))
        end = client.ends([order.attempt_id])[order.attempt_id]
        assert isinstance(end, AttemptLost)
        assert end.started_at is not None


class EngineSuite(ExecutorConformance):
    """The suite."""

    def last_line(self, text: bytes) -> bytes:
        """How a last line without a line break is kept."""
        return text

    # -------------------------------------------------------------------------- the contract, as containers keep it

    def test_megabytes_of_garbage_are_kept_in_order(self, host: Host, tmp_path: Path) -> None:
        source = tmp_path / "garbage"
        source.write_bytes(uuid.uuid4().bytes * (10_000_000 // 16))
        order = launch("cat", str(source))
        host.connect().run(order)
        whole = source.read_bytes()
        last = whole.rpartition(b"\n")[2]
        assert host.raw(order).read_bytes() == whole[: len(whole) - len(last)] + self.last_line(last)

    def test_a_line_of_megabytes_is_one_line(self, host: Host) -> None:
        order = shell("head -c 5000000 /dev/zero | tr '\\0' x; echo; echo end")
        host.connect().run(order)
        assert host.raw(order).stat().st_size == 5_000_005

    @pytest.mark.parametrize(
        ("script", "code"),
        [("true", 0), ("exit 3", 3), ("sh -c 'kill -9 $$'; exit $?", 137), ("sh -c 'kill $$'; exit $?", 143)],
    )
    def test_the_exit_code_is_what_a_shell_would_see(self, host: Host, script: str, code: int) -> None:
        super().test_the_exit_code_is_what_a_shell_would_see(host, script, code)

    def test_the_environment_is_the_jobs_own_and_a_little_more(self, host: Host) -> None:
        order = launch("env", environment={"NAME": "two words", "EMPTY": ""})
        host.connect().run(order)
        lines = dict(line.split("=", 1) for line in host.text(order).splitlines())
        assert lines["NAME"] == "two words"
        assert lines["EMPTY"] == ""
        assert lines["BATCHYARD_ATTEMPT_ID"] == order.attempt_id
        assert "/usr/bin" in lines["PATH"].split(":")
        ours = {"NAME", "EMPTY", "PATH", "HOME", "BATCHYARD_ATTEMPT_ID"}
        assert set(lines) - {"HOSTNAME", "TERM", "container"} == ours

    def test_output_and_errors_come_in_one_stream_and_input_is_empty(self, host: Host) -> None:
        order = shell("echo one; echo two >&2; cat; echo three")
        host.connect().run(order)
        lines = host.text(order).splitlines()
        assert sorted(lines) == ["one", "three", "two"], "engines copy two pipes, so only each stream is in order"
        assert lines.index("one") < lines.index("three")

    def test_the_working_folder_is_empty_and_gone_afterwards(self, host: Host) -> None:
        """A container's root is its image's; what one attempt writes there, no other finds."""
        first, second = (shell("ls /written; echo >/written; ls /written") for _ in range(2))
        client = host.connect()
        for order in (first, second):
            assert the_only(client.run(order)).exit_code == 0
            assert "/written" in host.text(order).splitlines()
            assert "No such file" in host.text(order)

    def test_capacity_is_never_exceeded_and_used_at_once(self, host: Host, tmp_path: Path) -> None:
        client = host.connect(vcpus=2)
        script = f"cd {tmp_path}; mkdir a && s=a || mkdir b && s=${{s:-b}} || exit 9; sleep 0.1; rmdir $s"
        orders = [shell(script, vcpus=1) for _ in range(8)]
        assert [end.exit_code for end in client.run(*orders)] == [0] * 8

    def test_orders_about_unknown_or_ended_attempts_are_ignored(self, host: Host) -> None:
        client = host.connect()
        order = launch("true")
        client.run(order)
        client.order(Stop(order.attempt_id), TakeBack(order.attempt_id), Stop(launch("true").attempt_id))
        client.run(launch("true"))
        assert len([report for report in client.reports if isinstance(report, END)]) == 2

    def test_a_smaller_capacity_ends_nothing_and_a_larger_one_starts_what_waits(self, host: Host) -> None:
        client = host.connect(vcpus=1)
        first, second = shell("sleep 30"), launch("true")
        client.started(first)
        client.executor.configure(Capacity(0, 0))
        client.order(second)
        client.executor.configure(Capacity(2, 1 << 16))
        client.ends([second.attempt_id])
        client.order(Stop(first.attempt_id, grace_seconds=0.1))
        assert client.ends([first.attempt_id])[first.attempt_id]

    def test_stop_asks_first_and_the_exit_code_is_the_real_one(self, host: Host) -> None:
        client = host.connect()
        polite = shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done")
        client.started(polite)
        until(lambda: host.raw(polite).exists())
        client.order(Stop(polite.attempt_id))
        end = client.ends([polite.attempt_id])[polite.attempt_id]
        assert isinstance(end, AttemptExited)
        assert end.exit_code == 7
        assert host.text(polite).splitlines()[-1] == "bye"

    def test_an_endless_writer_slows_only_itself(self, host: Host) -> None:
        client = host.connect(vcpus=4)
        endless = shell("yes | while read line; do echo $line; done")
        client.started(endless)
        began = time.monotonic()
        client.run(*(launch("true") for _ in range(3)))
        assert time.monotonic() - began < 20
        client.order(Stop(endless.attempt_id, grace_seconds=0.1))
        client.ends([endless.attempt_id])
        assert host.raw(endless).read_bytes()[:4] == b"y\ny\n"

    def test_too_much_memory_is_an_out_of_memory_kill(self, host: Host) -> None:
        client = host.connect()
        if reason := client.executor.honours().get("memory"):
            pytest.skip(reason)
        alone = launch("tail", "/dev/zero", memory_mib=64)
        decent = shell("head -c 10000000 /dev/zero | tail | wc -c", memory_mib=64)
        killed = shell("sh -c 'kill -9 $$'; exit $?", memory_mib=64)
        exits = client.run(alone, decent, killed)
        assert [end.exit_code for end in exits] == [137, 0, 137]
        assert [end.reason for end in exits] == [OUT_OF_MEMORY, None, None]

    def test_nothing_is_lost_or_doubled_over_many_connections(self, host: Host, tmp_path: Path) -> None:
        orders = {order.attempt_id: order for order in (shell(f"echo >>{tmp_path}/{number}") for number in range(12))}
        ended: list[AttemptId] = []
        position = Position()
        while len(ended) < len(orders):
            client = host.connect(position, vcpus=2)
            gone = {report.attempt_id for report in client.reports if isinstance(report, END)}
            missing = orders.keys() - client.observed[0].attempts - gone - set(ended)
            client.order(*(orders[attempt_id] for attempt_id in missing))
            wanted = min(4, len(orders) - len(ended))
            client.hear(lambda: len(client.reports) >= wanted)  # noqa: B023
            client.executor.close()
            client.hear(client.messages.empty)
            ended += [report.attempt_id for report in client.reports if isinstance(report, AttemptExited)]
            position = client.position
            assert len(host.clients) < 20
        assert sorted(ended) == sorted(orders)
        assert all((tmp_path / str(number)).read_text() == "\n" for number in range(12))

    # --------------------------------------------------------------------------------- what containers add, seen inside

    def see(self, host: Host, script: str, isolation: Isolation | None = None, **members: Any) -> str:
        """What a script says in a container of its own."""
        order = shell(script, **{name: value for name, value in members.items() if name in _OF_LAUNCH})
        of_container = {name: value for name, value in members.items() if name not in _OF_LAUNCH}
        order = replace(order, containers=(replace(order.containers[0], isolation=isolation, **of_container),))
        end = the_only(host.connect().run(order))
        assert end.reason is None, end
        return host.text(order)

    def test_memory_swap_and_shares_are_the_control_groups(self, host: Host) -> None:
        if not Path("/sys/fs/cgroup/memory").exists():
            pytest.skip("cgroup v2 shows a container no files of version 1")
        script = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes cpu/cpu.shares"
        found = self.see(host, script, memory_mib=96, vcpus=0.5, max_swap_mib=32).split()
        assert found == [str(96 << 20), str(128 << 20), "512"]

    def test_swappiness_is_the_groups(self, host: Host) -> None:
        if not Path("/sys/fs/cgroup/memory").exists():
            pytest.skip("cgroup v2 has no swappiness")
        assert self.see(host, "cat /sys/fs/cgroup/memory/memory.swappiness", Isolation(swappiness=17)) == "17"

    def test_a_read_only_root_takes_no_write_and_a_tmpfs_does(self, host: Host, tmp_path: Path) -> None:
        isolation = Isolation(read_only_root=True, tmpfs=(Tmpfs("/scratch", 8, ("mode=1777",)),))
        found = self.see(host, "touch /x; echo yes >/scratch/x && cat /scratch/x; df -k /scratch | tail -1", isolation)
        assert "Read-only file system" in found
        assert "yes" in found
        (scratch,) = [line for line in found.splitlines() if line.endswith(" /scratch")]  # the complaint may come last
        assert scratch.split()[1] == "8192"

    def test_shared_memory_has_the_size_asked_for(self, host: Host) -> None:
        assert self.see(host, "df -m /dev/shm | tail -1", Isolation(shared_memory_mib=96)).split()[1] == "96"

    def test_the_init_process_comes_first_and_the_entry_point_is_the_jobs(self, host: Host) -> None:
        assert self.see(host, "echo $$", Isolation(init_process=True)).strip() != "1"
        assert self.see(host, "echo $$").strip() == "1"
        assert self.see(host, "ignored", Isolation(entry_point=("echo", "entered"))).startswith("entered sh -c")

    def test_folders_of_the_host_are_mounted_as_asked(self, host: Host, tmp_path: Path) -> None:
        (tmp_path / "given").mkdir()
        (tmp_path / "given/file").write_text("content\n")
        isolation = Isolation(
            mounts=(
                Mount("/ro", source=str(tmp_path / "given"), read_only=True),
                Mount("/rw", source=str(tmp_path / "made")),
                Mount("/own", volume="own"),
            )
        )
        found = self.see(host, "cat /ro/file; touch /ro/x; echo out >/rw/out; ls -A /own; echo >/own/x", isolation)
        assert "content" in found.splitlines()
        assert "Read-only file system" in found
        assert (tmp_path / "made/out").read_text() == "out\n"

    def test_devices_capabilities_and_privilege(self, host: Host) -> None:
        null = Isolation(devices=(Device("/dev/null", "/dev/mine"),))
        assert self.see(host, "ls -l /dev/mine | cut -c1").strip() != "c"
        assert self.see(host, "ls -l /dev/mine | cut -c1", null).strip() == "c"
        effective = "grep CapEff /proc/self/status"
        plain = int(self.see(host, effective).split()[1], 16)
        raw = int(self.see(host, effective, Isolation(capabilities_dropped=("ALL",))).split()[1], 16)
        assert raw == 0
        assert plain != 0

    def test_networks_are_host_or_none(self, host: Host) -> None:
        interfaces = "ls /sys/class/net | sort"
        assert self.see(host, interfaces, Isolation(network="none")).split() == ["lo"]
        assert self.see(host, "cat /proc/net/dev | wc -l", Isolation(network="host")) == str(
            len(Path("/proc/net/dev").read_text().splitlines())
        )

    def test_a_quota_is_a_setting(self, host: Host) -> None:
        if not Path("/sys/fs/cgroup/cpu").exists():
            pytest.skip("cgroup v2 shows a container no files of version 1")
        assert self.see(host, "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us", vcpus=0.5) == "-1"

    def test_what_cannot_be_made_says_why(self, host: Host) -> None:
        order = shell("true")
        (container,) = order.containers
        order = replace(order, containers=(replace(container, isolation=Isolation(impossible="CannotCreate: x")),))
        end = the_only(host.connect().run(order))
        assert (end.failed_to_start, end.exit_code, end.reason) == (True, None, "CannotCreate: x")

    def test_an_image_that_cannot_be_pulled(self, host: Host) -> None:
        client = host.connect()
        for policy in ("never", "if-missing"):
            order = shell("true")
            isolation = Isolation(pull_policy=policy)
            container = replace(order.containers[0], image="127.0.0.1:9/no/such:image", isolation=isolation)
            end = the_only(client.run(replace(order, containers=(container,))))
            assert (end.failed_to_start, end.exit_code, end.started_at) == (True, None, None)
            assert (end.reason or "").startswith("CannotPullContainerError: ")

    # -------------------------------------------------------------------------------------------- what the world does

    def test_a_container_removed_by_somebody_else_is_lost(self, host: Host, engine: OwnEngine) -> None:
        client = host.connect()
        order = shell("echo here; sleep 60")
        client.started(order)
        engine.remove(order.attempt_id)
        end = client.ends([order.attempt_id])[order.attempt_id]
        assert isinstance(end, AttemptLost)
        assert end.started_at is not None

    def test_the_engine_goes_away_and_comes_back(self, host: Host, engine: OwnEngine) -> None:
        client = host.connect(vcpus=2)
        long, short = shell("echo a; sleep 3; echo b; exit 6"), shell("echo c; sleep 1; exit 5")
        client.started(long)
        client.started(short)
        engine.stop()
        client.hear(lambda: bool(client.losses))
        engine.start()
        client.hear(lambda: len(client.observed) > 1)
        ends = client.ends([long.attempt_id, short.attempt_id])
        assert [ends[order.attempt_id].exit_code for order in (long, short)] == [6, 5]  # type: ignore[union-attr]
        assert [host.text(order) for order in (long, short)] == ["a\nb", "c"]

    def test_output_is_whole_across_connections(self, host: Host) -> None:
        first = host.connect()
        order = shell("i=0; while [ $i -lt 60 ]; do echo line $i; i=$((i+1)); sleep 0.05; done; printf end")
        first.started(order)
        until(lambda: host.raw(order).exists() and b"line 5\n" in host.raw(order).read_bytes())
        first.executor.close()
        second = host.connect(first.position)
        assert second.observed[0].attempts == {order.attempt_id}
        second.ends([order.attempt_id])
        assert host.raw(order).read_bytes() == b"".join(b"line %d\n" % number for number in range(60)) + self.last_line(
            b"end"
        )

    def test_nothing_is_left_once_it_is_acknowledged(self, host: Host, engine: OwnEngine) -> None:
        client = host.connect()
        order = shell("true")
        isolation = Isolation(mounts=(Mount("/own", volume="own"),))
        order = replace(order, containers=(replace(order.containers[0], isolation=isolation),))
        client.run(order)
        assert engine.names_with(order.attempt_id)
        client.executor.acknowledge(client.position)
        until(lambda: not engine.names_with(order.attempt_id))


_OF_LAUNCH = ("vcpus", "memory_mib", "user")
