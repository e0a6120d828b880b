"""What every executor must do, driven only through the interface: the contract as tests.

A suite for one executor subclasses `ExecutorConformance` and provides the fixture `host`.
"""

import contextlib
import queue
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from batchyard.core.ids import AttemptId
from batchyard.executors.interface import (
    AttemptExited,
    AttemptLost,
    AttemptReturned,
    AttemptStarted,
    Batch,
    Capacity,
    ConnectionLost,
    Executor,
    Launch,
    Message,
    Observed,
    Order,
    Position,
    Report,
    Stop,
    TakeBack,
    Ulimit,
)
from batchyard.logs.files import log_path, logs_folder
from batchyard.logs.reader import AttemptLog, LogEvent
from tests.executors.launches import launch, shell

PATIENCE_SECONDS = 30.0
END = AttemptExited | AttemptLost | AttemptReturned
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


def until(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until it holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


@dataclass
class Client:
    """An executor and what it has said so far."""

    executor: Executor
    messages: "queue.SimpleQueue[Message]" = field(default_factory=queue.SimpleQueue)
    reports: list[Report] = field(default_factory=list)
    position: Position = field(default_factory=Position)
    observed: list[Observed] = field(default_factory=list)
    losses: list[ConnectionLost] = field(default_factory=list)

    def connect(self, after: Position, capacity: Capacity) -> "Client":
        """Start, configure, and wait for the replay to end."""
        self.executor.start(after, self.messages.put)
        self.executor.configure(capacity)
        self.hear(lambda: bool(self.observed))
        return self

    def hear(self, enough: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Take in messages until it is enough; fail if that does not come in time."""
        deadline = time.monotonic() + seconds
        while not enough():
            try:
                message = self.messages.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"waited in vain; heard {self.reports[-5:]} {self.losses}")
            if isinstance(message, Batch):
                self.reports += message.reports
                self.position = message.position
            elif isinstance(message, Observed):
                self.observed.append(message)
            else:
                self.losses.append(message)

    def order(self, *orders: Order) -> None:
        """Hand over orders."""
        self.executor.order(orders)

    def ends(self, attempt_ids: Iterable[AttemptId]) -> dict[AttemptId, END]:
        """Wait until all of these have ended, and say how."""
        wanted = set(attempt_ids)
        self.hear(lambda: wanted <= {report.attempt_id for report in self.reports if isinstance(report, END)})
        return {r.attempt_id: r for r in self.reports if isinstance(r, END) and r.attempt_id in wanted}

    def run(self, *launches: Launch) -> list[AttemptExited]:
        """Launch, wait for the ends, and return the exits in the order of the launches."""
        self.order(*launches)
        ends = self.ends(order.attempt_id for order in launches)
        exits = [ends[order.attempt_id] for order in launches]
        assert all(isinstance(end, AttemptExited) for end in exits), exits
        return exits  # type: ignore[return-value]

    def started(self, order: Launch) -> None:
        """Launch it and wait until it is reported as started."""
        self.order(order)
        self.hear(lambda: any(isinstance(r, AttemptStarted) and r.attempt_id == order.attempt_id for r in self.reports))


@dataclass
class Host:
    """A machine with an executor on it: makes connections to it, and ends it after the test."""

    data: Path
    make: Callable[[], Executor]
    clients: list[Client] = field(default_factory=list)

    def connect(
        self, after: Position | None = None, *, vcpus: float = 4, gpus: int = 0, **environments: float
    ) -> Client:
        """A new connection, as a server makes it when it starts."""
        client = Client(self.make())
        self.clients.append(client)
        return client.connect(after or Position(), Capacity(vcpus, 1 << 16, gpus, environments))

    def log(self, order: Launch) -> list[LogEvent]:
        """The first page of an ended attempt's log."""
        with AttemptLog(logs_folder(self.data), order.attempt_id, ended=True) as log:
            return log.page().events

    def text(self, order: Launch) -> str:
        """All lines of it."""
        return "\n".join(event.message for event in self.log(order))

    def raw(self, order: Launch) -> Path:
        """The log's file."""
        return log_path(logs_folder(self.data), order.attempt_id)

    def close(self) -> None:
        """End all connections."""
        for client in self.clients:
            client.executor.close()


def the_only(exits: Sequence[AttemptExited]) -> AttemptExited:
    """The one of one."""
    (end,) = exits
    return end


def sleepers(mark: str) -> list[int]:
    """The processes that run `sleep MARK`, dead ones left out."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if (folder / "cmdline").read_bytes() == f"sleep\0{mark}\0".encode():
                    found.append(int(folder.name))
    return found


def new_mark() -> str:
    """A number of seconds for which nobody else sleeps."""
    return f"6{uuid.uuid4().int % 10**9:09d}"


class ExecutorConformance:
    """The suite. `twenty_seconds` is how long twenty attempts may take beside one that writes without end."""

    twenty_seconds = 5.0

    # ------------------------------------------------------------------------------------------------- how it ends

    @pytest.mark.parametrize(
        ("script", "code"), [("true", 0), ("exit 3", 3), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
    )
    def test_the_exit_code_is_what_a_shell_would_see(self, host: Host, script: str, code: int) -> None:
        end = the_only(host.connect().run(shell(script)))
        assert (end.exit_code, end.reason, end.failed_to_start) == (code, None, False)
        assert end.started_at is not None
        assert end.started_at <= end.at <= time.time() * 1000

    def test_what_runs_for_a_while_is_reported_as_started_before_it_ends(self, host: Host) -> None:
        client = host.connect()
        order = shell("read line </dev/null; sleep 0.1")
        end = the_only(client.run(order))
        started = [report for report in client.reports if isinstance(report, AttemptStarted)]
        assert started == [AttemptStarted(order.attempt_id, end.started_at)]  # type: ignore[arg-type]

    def test_the_environment_is_the_jobs_own_and_a_little_more(self, host: Host) -> None:
        order = launch("env", environment={"NAME": "two words", "EMPTY": ""})
        host.connect().run(order)
        lines = dict(line.split("=", 1) for line in host.text(order).splitlines())
        assert lines["NAME"] == "two words"
        assert lines["EMPTY"] == ""
        assert lines["BATCHYARD_ATTEMPT_ID"] == order.attempt_id
        assert "/usr/bin" in lines["PATH"].split(":")
        assert set(lines) - {"HOSTNAME"} == {"NAME", "EMPTY", "PATH", "HOME", "BATCHYARD_ATTEMPT_ID"}

    def test_output_and_errors_come_in_one_stream_and_input_is_empty(self, host: Host) -> None:
        order = shell("echo one; echo two >&2; cat; echo three")
        host.connect().run(order)
        assert host.text(order) == "one\ntwo\nthree"

    def test_the_working_folder_is_empty_and_gone_afterwards(self, host: Host) -> None:
        order = shell("ls -A; pwd; mkdir -p a/b; echo text >a/b/c; chmod 500 a; ln -s / root")
        assert the_only(host.connect().run(order)).exit_code == 0
        (folder,) = host.text(order).splitlines()
        assert not Path(folder).exists()

    # ------------------------------------------------------------------------------------------ what cannot start

    @pytest.mark.parametrize("command", [(), ("",), ("no-such-command",), ("./nothing",), ("/etc/passwd",), ("/",)])
    def test_an_unusable_command_ends_the_attempt(self, host: Host, command: tuple[str, ...]) -> None:
        self._fails_to_start(host, launch(*command))

    @pytest.mark.parametrize("user", ["no-such-user", "root:no-such-group", "-1", "99999999999999", ":", "a b"])
    def test_an_unusable_user_ends_the_attempt(self, host: Host, user: str) -> None:
        self._fails_to_start(host, launch("true", user=user))

    @pytest.mark.parametrize(
        "order",
        [
            launch("true", "nul\0inside"),
            launch("true", environment={"A": "nul\0inside"}),
            launch("true", environment={"A=B": "c"}),
            launch("true", environment={"": "c"}),
            launch("true", "x" * 3_000_000),
            launch("true", environment={f"V{number}": "x" * 100_000 for number in range(100)}),
            launch("true", ulimits=(Ulimit("no-such-limit", 1, 1),)),
            launch("true", ulimits=(Ulimit("nofile", 20, 10),)),
            launch("true", ulimits=(Ulimit("nofile", 1 << 40, 1 << 40),)),
        ],
        ids=range(9),
    )
    def test_unusable_input_ends_the_attempt_and_nothing_else(self, host: Host, order: Launch) -> None:
        self._fails_to_start(host, order)

    def _fails_to_start(self, host: Host, order: Launch) -> None:
        client = host.connect(vcpus=1)
        end = the_only(client.run(order))
        assert end.failed_to_start
        assert (end.exit_code, end.started_at) == (None, None)
        assert end.reason
        assert end.reason.startswith("CannotStartContainerError: ")
        assert the_only(client.run(launch("true"))).exit_code == 0

    # ----------------------------------------------------------------------------------------------- orders twice

    def test_a_launch_given_twice_runs_once(self, host: Host, tmp_path: Path) -> None:
        client = host.connect()
        order = shell(f"echo run >>{tmp_path}/runs; sleep 0.05")
        client.order(order, order)
        client.order(order)
        client.ends([order.attempt_id])
        client.order(order)
        client.run(launch("true"))
        assert (tmp_path / "runs").read_text() == "run\n"
        assert len([r for r in client.reports if isinstance(r, END) and r.attempt_id == order.attempt_id]) == 1

    def test_orders_about_unknown_or_ended_attempts_are_ignored(self, host: Host) -> None:
        client = host.connect()
        order = launch("true")
        client.run(order)
        client.order(Stop(order.attempt_id), TakeBack(order.attempt_id), Stop(launch("true").attempt_id))
        client.run(launch("true"))
        assert len([report for report in client.reports if isinstance(report, END)]) == 2

    # ------------------------------------------------------------------------------------------- what still waits

    def test_what_waits_can_be_taken_back_and_what_runs_cannot(self, host: Host, tmp_path: Path) -> None:
        client = host.connect(vcpus=1)
        running, waiting = shell("sleep 0.2"), shell(f"touch {tmp_path}/ran")
        client.started(running)
        client.order(waiting, TakeBack(waiting.attempt_id), TakeBack(running.attempt_id))
        ends = client.ends([running.attempt_id, waiting.attempt_id])
        assert isinstance(ends[waiting.attempt_id], AttemptReturned)
        assert isinstance(ends[running.attempt_id], AttemptExited)
        assert not (tmp_path / "ran").exists()

    def test_what_is_stopped_while_it_waits_never_starts(self, host: Host, tmp_path: Path) -> None:
        client = host.connect(vcpus=1)
        running, waiting = shell("sleep 0.2"), shell(f"touch {tmp_path}/ran")
        client.started(running)
        client.order(waiting, Stop(waiting.attempt_id))
        end = client.ends([waiting.attempt_id, running.attempt_id])[waiting.attempt_id]
        assert isinstance(end, AttemptExited)
        assert (end.exit_code, end.started_at, end.failed_to_start) == (None, None, False)
        assert not (tmp_path / "ran").exists()

    def test_capacity_is_never_exceeded_and_used_at_once(self, host: Host, tmp_path: Path) -> None:
        client = host.connect(vcpus=2)
        script = f"cd {tmp_path}; mkdir a && s=a || mkdir b && s=${{s:-b}} || exit 9; sleep 0.01; rmdir $s"
        orders = [shell(script, vcpus=1) for _ in range(40)]
        assert [end.exit_code for end in client.run(*orders)] == [0] * 40
        began = [end.started_at for end in client.run(*(shell("sleep 0.1", vcpus=0.1) for _ in range(20)))]
        assert max(began) - min(began) < 100 * 20  # type: ignore[type-var,operator]

    def test_memory_and_compute_environments_bound_what_runs_together(self, host: Host, tmp_path: Path) -> None:
        alone = f"mkdir {tmp_path}/alone || exit 9; sleep 0.03; rmdir {tmp_path}/alone"
        client = host.connect(vcpus=8, small=1.5)
        for members in ({"memory_mib": 40_000, "vcpus": 0.5}, {"compute_environment": "small", "vcpus": 1.0}):
            exits = client.run(*(shell(alone, **members) for _ in range(4)))
            assert [end.exit_code for end in exits] == [0] * 4

    def test_gpus_are_given_to_one_attempt_each(self, host: Host) -> None:
        client = host.connect(vcpus=8, gpus=3)
        script = "echo $NVIDIA_VISIBLE_DEVICES/$CUDA_VISIBLE_DEVICES; sleep 0.05"
        two, one, more, none = (shell(script, gpus=gpus) for gpus in (2, 1, 1, 0))
        client.run(two, one, more, none)
        assert host.text(two) == "0,1/0,1"
        assert host.text(one) == "2/2"
        assert host.text(more) in {"0/0", "1/1", "2/2"}
        assert host.text(none) == "void/"

    def test_a_smaller_capacity_ends_nothing_and_a_larger_one_starts_what_waits(self, host: Host) -> None:
        client = host.connect(vcpus=1)
        first, second = shell("sleep 30"), launch("true")
        client.started(first)
        client.executor.configure(Capacity(0, 0))
        client.order(second)
        client.executor.configure(Capacity(2, 1 << 16))
        client.ends([second.attempt_id])
        client.order(Stop(first.attempt_id))
        assert client.ends([first.attempt_id])[first.attempt_id]

    # -------------------------------------------------------------------------------------------------------- stop

    def test_stop_asks_first_and_the_exit_code_is_the_real_one(self, host: Host) -> None:
        client = host.connect()
        polite = shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done")
        plain = launch("sleep", "60")
        client.started(polite)
        until(lambda: host.raw(polite).exists())
        client.started(plain)
        client.order(Stop(polite.attempt_id), Stop(plain.attempt_id))
        ends = client.ends([polite.attempt_id, plain.attempt_id])
        assert [ends[order.attempt_id].exit_code for order in (polite, plain)] == [7, 143]  # type: ignore[union-attr]
        assert host.text(polite).splitlines()[-1] == "bye"

    def test_what_ignores_the_request_is_killed_after_its_grace(self, host: Host) -> None:
        client = host.connect()
        deaf = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done")
        client.started(deaf)
        until(lambda: host.raw(deaf).exists())
        asked = time.monotonic()
        client.order(Stop(deaf.attempt_id, grace_seconds=0.3))
        end = client.ends([deaf.attempt_id])[deaf.attempt_id]
        assert 0.3 <= time.monotonic() - asked < 5
        assert isinstance(end, AttemptExited)
        assert end.exit_code == 137
        assert end.reason is None

    @pytest.mark.parametrize("how", ["stop", "exit"])
    def test_grandchildren_in_sessions_of_their_own_do_not_survive(self, host: Host, how: str) -> None:
        client = host.connect()
        mark = new_mark()
        tree = f"(setsid setsid sleep {mark} & setsid sh -c 'trap \"\" TERM; setsid sleep {mark} & sleep {mark}' &)"
        order = shell(
            f"{tree}; while [ ! -e /nowhere ]; do sleep 0.05; done" if how == "stop" else f"{tree}; sleep 0.2"
        )
        client.started(order)
        until(lambda: len(sleepers(mark)) == 3)
        if how == "stop":
            client.order(Stop(order.attempt_id, grace_seconds=5))
        client.ends([order.attempt_id])
        assert sleepers(mark) == []

    # ------------------------------------------------------------------------------------------------------ output

    def test_megabytes_of_garbage_are_kept_in_order(self, host: Host, tmp_path: Path) -> None:
        source = tmp_path / "garbage"
        source.write_bytes(uuid.uuid4().bytes * (10_000_000 // 16))
        order = launch("cat", str(source))
        host.connect().run(order)
        assert host.raw(order).read_bytes() == source.read_bytes()

    def test_one_line_of_a_hundred_megabytes(self, host: Host) -> None:
        order = shell("head -c 100000000 /dev/zero | tr '\\0' x; echo; echo end")
        host.connect().run(order)
        assert host.raw(order).stat().st_size == 100_000_005
        with AttemptLog(logs_folder(host.data), order.attempt_id, ended=True) as log:
            assert log.page(backward=True, limit=1).events[0].message == "end"

    def test_an_endless_writer_slows_only_itself(self, host: Host) -> None:
        client = host.connect(vcpus=4)
        endless = launch("yes")
        client.started(endless)
        began = time.monotonic()
        client.run(*(launch("true") for _ in range(20)))
        assert time.monotonic() - began < self.twenty_seconds
        client.order(Stop(endless.attempt_id))
        client.ends([endless.attempt_id])
        assert host.raw(endless).read_bytes()[:4] == b"y\ny\n"

    def test_a_silent_attempt_makes_no_file(self, host: Host) -> None:
        order = launch("true")
        host.connect().run(order)
        assert not host.raw(order).exists()

    # --------------------------------------------------------------------------------------------------- limits

    def test_too_much_memory_is_an_out_of_memory_kill(self, host: Host) -> None:
        client = host.connect()
        if reason := client.executor.honours().get("memory"):
            pytest.skip(reason)
        hog = shell("head -c 400000000 /dev/zero | tail | wc -c", memory_mib=64)
        alone = launch("tail", "/dev/zero", memory_mib=64)
        tiny = launch("tail", "/dev/zero", memory_mib=8)
        decent = shell("head -c 10000000 /dev/zero | tail | wc -c", memory_mib=64)
        exits = client.run(hog, alone, tiny, decent, shell("kill -9 $$", memory_mib=64))
        assert [end.exit_code for end in exits[1:]] == [137, 137, 0, 137]
        assert [end.reason for end in exits[1:]] == [OUT_OF_MEMORY, OUT_OF_MEMORY, None, None]

    def test_ulimits_and_users_are_honoured(self, host: Host) -> None:
        client = host.connect()
        order = shell("ulimit -n; ulimit -Hn; id -u; id -g", ulimits=(Ulimit("nofile", 64, 128),), user="12345:6789")
        end = the_only(client.run(order))
        if end.failed_to_start and "root" in (end.reason or ""):
            pytest.skip("only root may run commands as another user")
        assert host.text(order).split() == ["64", "128", "12345", "6789"]

    # ------------------------------------------------------------------------------------------------- connections

    def test_what_happened_meanwhile_is_replayed_once(self, host: Host) -> None:
        first = host.connect(vcpus=2)
        short, long, waiting = shell("exit 4"), shell("sleep 0.3; exit 5"), shell("exit 6", vcpus=2)
        first.run(short)
        first.started(long)
        first.order(waiting)
        first.executor.close()
        second = host.connect(first.position, vcpus=2)
        assert {long.attempt_id, waiting.attempt_id} <= second.observed[0].attempts | {
            report.attempt_id for report in second.reports
        }
        ends = second.ends([long.attempt_id, waiting.attempt_id])
        assert [ends[order.attempt_id].exit_code for order in (long, waiting)] == [5, 6]  # type: ignore[union-attr]
        assert short.attempt_id not in {report.attempt_id for report in second.reports}
        third = host.connect(Position(), vcpus=2)
        ended = [report.attempt_id for report in third.reports if isinstance(report, AttemptExited)]
        assert sorted(ended) == sorted([short.attempt_id, long.attempt_id, waiting.attempt_id])
        assert third.observed[0].attempts == frozenset()

    def test_what_is_acknowledged_is_not_replayed(self, host: Host) -> None:
        first = host.connect()
        first.run(launch("true"), launch("false"))
        first.executor.acknowledge(first.position)
        first.run(shell("exit 2"))
        first.executor.close()
        second = host.connect(Position())
        assert [report.exit_code for report in second.reports if isinstance(report, AttemptExited)] == [2]

    def test_nothing_is_lost_or_doubled_over_many_connections(self, host: Host, tmp_path: Path) -> None:
        orders = {order.attempt_id: order for order in (shell(f"echo >>{tmp_path}/{number}") for number in range(300))}
        ended: list[AttemptId] = []
        position = Position()
        while len(ended) < len(orders):
            client = host.connect(position, vcpus=2)
            gone = {report.attempt_id for report in client.reports if isinstance(report, END)}
            missing = orders.keys() - client.observed[0].attempts - gone - set(ended)
            client.order(*(orders[attempt_id] for attempt_id in missing))
            client.hear(lambda: len(client.reports) >= min(20, len(orders) - len(ended)))  # noqa: B023
            client.executor.close()
            ended += [report.attempt_id for report in client.reports if isinstance(report, AttemptExited)]
            position = client.position
            assert len(host.clients) < 100
        assert sorted(ended) == sorted(orders)
        assert all((tmp_path / str(number)).read_text() == "\n" for number in range(300))
