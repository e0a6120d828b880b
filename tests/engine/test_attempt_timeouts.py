"""attemptDurationSeconds over real rows, with a clock that only the test moves (User Guide, Job timeouts)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from batchyard.api.context import Context, Settings
from batchyard.api.operations import endpoint
from batchyard.core.ids import AttemptId, Millis
from batchyard.engine.loop import Engine
from batchyard.executors import interface as x
from batchyard.store.database import Database

START = 1_700_000_000_000
GRACE_SECONDS = 30.0
CAPACITY = x.Capacity(vcpus=4, memory_mib=4096)
TIMED_OUT = "Job attempt duration exceeded timeout"


class HandClock:
    """Time as the test sets it."""

    def __init__(self) -> None:
        self.at = START

    def now(self) -> Millis:
        return Millis(self.at)


class SpokenExecutor:
    """Keeps the orders it gets; reports what the test says."""

    name = "spoken"
    instance_id = "i-0123456789abcdef0"

    def __init__(self) -> None:
        self.orders: list[x.Order] = []
        self._sink: Callable[[x.Message], None] = lambda _message: None
        self._record = 0

    def start(self, after: x.Position, sink: Callable[[x.Message], None]) -> None:
        self._sink = sink
        sink(x.Observed(after, frozenset()))

    def report(self, *reports: x.Report) -> None:
        self._record += 1
        self._sink(x.Batch(x.Position("journal", self._record), reports))

    def order(self, orders: Sequence[x.Order]) -> None:
        self.orders += orders

    def taken(self) -> list[x.Order]:
        """The orders since the last time."""
        orders, self.orders = self.orders, []
        return orders

    def configure(self, capacity: x.Capacity) -> None:
        pass

    def acknowledge(self, position: x.Position) -> None:
        pass

    def honours(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None:
        pass


class TurnedYard:
    """An engine without a thread: every call and every `turn` is one step of its loop."""

    def __init__(self, database: Database) -> None:
        self.clock = HandClock()
        self.executor = SpokenExecutor()
        self._engine = Engine(database, self.executor, CAPACITY, clock=self.clock, stop_grace_seconds=GRACE_SECONDS)
        self._engine.prepare()
        self.turn()

    def turn(self, at: int | None = None) -> float | None:
        """Let it be `at` milliseconds after the start, and the loop take one step; seconds until something is due."""
        if at is not None:
            self.clock.at = START + at
        return self._engine.step()

    def call(self, operation: str, **request: Any) -> dict[str, Any]:
        found = endpoint(f"batch.{operation}")

        def carry_out(tx: Any) -> Any:
            clock, engine = self.clock, self._engine
            context = Context(tx, clock.now(), "us-east-1", Settings(), engine.ids, engine.terms)
            return found.function(context, request)

        answer = self._engine.call(carry_out, changes_resources=found.changes_resources)
        self.turn()
        return dict(answer.result(timeout=0))

    def submit(self, **members: Any) -> str:
        return str(self.call("SubmitJob", jobName="job", jobQueue="queue", jobDefinition="sleep", **members)["jobId"])

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.call("DescribeJobs", jobs=[job_id])["jobs"][0])

    def launched(self) -> AttemptId:
        """The attempt whose launch was ordered last."""
        return [order.attempt_id for order in self.executor.taken() if isinstance(order, x.Launch)][-1]


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[TurnedYard]:
    database = Database.at(tmp_path, synchronous="OFF")
    database.migrate()
    made = TurnedYard(database)
    made.call(
        "CreateComputeEnvironment",
        computeEnvironmentName="machine",
        type="MANAGED",
        computeResources={"type": "EC2", "maxvCpus": 4},
    )
    order = [{"order": 1, "computeEnvironment": "machine"}]
    made.call("CreateJobQueue", jobQueueName="queue", priority=1, computeEnvironmentOrder=order)
    container = {"image": "busybox", "vcpus": 1, "memory": 64, "command": ["sleep", "600"]}
    made.call("RegisterJobDefinition", jobDefinitionName="sleep", type="container", containerProperties=container)
    yield made
    database.close()


def started(attempt_id: AttemptId, at: int) -> x.AttemptStarted:
    return x.AttemptStarted(attempt_id, Millis(START + at))


def exited(attempt_id: AttemptId, began: int, at: int, exit_code: int) -> x.AttemptExited:
    return x.AttemptExited(attempt_id, Millis(START + at), Millis(START + began), exit_code)


def test_the_clock_starts_with_the_attempt_and_ends_in_a_stop(yard: TurnedYard) -> None:
    job = yard.submit(timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3})
    attempt = yard.launched()
    yard.turn(at=90_000)
    assert yard.executor.taken() == [], "a start that takes long is not held against the job"
    yard.executor.report(started(attempt, 90_000))
    assert yard.turn() == pytest.approx(60.0)
    yard.turn(at=149_999)
    assert yard.executor.taken() == []
    yard.turn(at=150_000)
    assert yard.executor.taken() == [x.Stop(attempt, GRACE_SECONDS)]
    assert yard.job(job)["status"] == "RUNNING"
    yard.executor.report(exited(attempt, 90_000, 150_200, 143))
    yard.turn(at=150_200)
    ended = yard.job(job)
    assert (ended["status"], ended["statusReason"], ended["stoppedAt"]) == ("FAILED", TIMED_OUT, START + 150_200)
    assert len(ended["attempts"]) == 1
    assert yard.executor.taken() == []


def test_a_job_that_answers_sigterm_with_0_has_timed_out_all_the_same(yard: TurnedYard) -> None:
    job = yard.submit(timeout={"attemptDurationSeconds": 60})
    attempt = yard.launched()
    yard.executor.report(started(attempt, 0))
    yard.turn(at=0)
    yard.turn(at=60_000)
    yard.executor.report(exited(attempt, 0, 60_100, 0))
    yard.turn(at=60_100)
    ended = yard.job(job)
    assert (ended["status"], ended["statusReason"], ended["container"]["exitCode"]) == ("FAILED", TIMED_OUT, 0)


def test_each_attempt_has_the_whole_time(yard: TurnedYard) -> None:
    job = yard.submit(timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 2})
    first = yard.launched()
    yard.executor.report(started(first, 0))
    yard.turn(at=0)
    yard.executor.report(exited(first, 0, 59_000, 1))
    yard.turn(at=59_000)
    second = yard.launched()
    yard.executor.report(started(second, 59_500))
    yard.turn(at=59_500)
    yard.turn(at=119_000)
    assert yard.executor.taken() == []
    yard.executor.report(exited(second, 59_500, 119_400, 0))
    yard.turn(at=119_400)
    ended = yard.job(job)
    assert (ended["status"], len(ended["attempts"])) == ("SUCCEEDED", 2)


def test_an_arrays_timeout_is_each_childs(yard: TurnedYard) -> None:
    array = yard.submit(timeout={"attemptDurationSeconds": 60}, arrayProperties={"size": 2})
    launches = [order for order in yard.executor.taken() if isinstance(order, x.Launch)]
    early, late = (order.attempt_id for order in launches)
    yard.executor.report(started(early, 0), started(late, 20_000))
    yard.turn(at=20_000)
    yard.turn(at=60_000)
    assert yard.executor.taken() == [x.Stop(early, GRACE_SECONDS)]
    yard.executor.report(exited(early, 0, 60_100, 143), exited(late, 20_000, 60_100, 0))
    yard.turn(at=60_100)
    assert [yard.job(f"{array}:{index}")["statusReason"] for index in (0, 1)] == [
        TIMED_OUT,
        "Essential container in task exited",
    ]
    assert yard.job(array)["statusReason"] == "Array Child Job failed"
