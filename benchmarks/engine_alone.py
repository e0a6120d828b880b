"""What the engine itself costs per job: an executor that ends everything at once, the real store, no processes.

python -m benchmarks.engine_alone [--jobs 10000] [--profile]
python -m benchmarks.engine_alone --jobs 900 --fair-queues 5 --queued 1000000

The second queues a hundred arrays in queues with fair share, of four shares each, and times the first jobs of them.
"""

import argparse
import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from batchyard.api.batch.compute_environments import create_compute_environment
from batchyard.api.batch.job_definitions import register_job_definition
from batchyard.api.batch.job_queues import create_job_queue
from batchyard.api.batch.scheduling_policies import create_scheduling_policy
from batchyard.api.batch.submit_job import submit_job
from batchyard.api.context import Context, Settings
from batchyard.core.ids import Millis
from batchyard.engine.clock import RandomIds, SystemClock
from batchyard.engine.loop import Engine
from batchyard.executors import interface as x
from batchyard.store.database import Database
from batchyard.store.transaction import Transaction


class Instant:
    """Ends what it is given after one more turn, in batches of at most `width`."""

    name = "instant"
    instance_id = "i-00000000000000000"

    def __init__(self, width: int) -> None:
        self.width = width
        self.waiting: list[x.Launch] = []
        self.record = 0

    def start(self, after: x.Position, sink: Callable[[x.Message], None]) -> None:
        self.sink = sink
        sink(x.Observed(after, frozenset()))

    def order(self, orders: Sequence[x.Order]) -> None:
        self.waiting += [order for order in orders if isinstance(order, x.Launch)]

    def turn(self) -> None:
        done, self.waiting = self.waiting[: self.width], self.waiting[self.width :]
        now = Millis(time.time_ns() // 1_000_000)
        self.record += len(done)
        reports = tuple(x.AttemptExited(launch.attempt_id, now, Millis(now - 1), 0) for launch in done)
        if reports:
            self.sink(x.Batch(x.Position("j", self.record), reports))

    def configure(self, capacity: x.Capacity) -> None: ...

    def acknowledge(self, position: x.Position) -> None: ...

    def honours(self) -> Mapping[str, str]:
        return {}

    def close(self) -> None: ...


ARRAYS, SHARES = 100, 4
COMPUTE = {
    "type": "EC2",
    "maxvCpus": 2,
    "minvCpus": 0,
    "subnets": ["s"],
    "instanceTypes": ["optimal"],
    "instanceRole": "r",
    "securityGroupIds": [],
}
CONTAINER = {"image": "i", "vcpus": 1, "memory": 128, "command": ["true"]}


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds a job."""

    cpu: float
    wall: float
    ticks: int


class EngineAlone:
    """An engine on a fresh database, with the queue `q` and the definition `d`."""

    def __init__(self, width: int = 50) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.database = Database.at(Path(self._folder.name))
        self.database.migrate()
        self.executor = Instant(width)
        self.engine = Engine(self.database, self.executor, x.Capacity(2.0, 8192))
        self._clock = SystemClock()
        self._order = [{"order": 1, "computeEnvironment": "e"}]
        with self.database.write() as tx:
            c = self._context(tx)
            create_compute_environment(
                c, {"computeEnvironmentName": "e", "type": "MANAGED", "computeResources": COMPUTE}
            )
            create_job_queue(c, {"jobQueueName": "q", "priority": 1, "computeEnvironmentOrder": self._order})
            definition = {"jobDefinitionName": "d", "type": "container", "containerProperties": CONTAINER}
            register_job_definition(c, definition)

    def _context(self, tx: Transaction) -> Context:
        return Context(tx, self._clock.now(), "us-east-1", Settings(), RandomIds(), self.engine.terms)

    def submit(self, *sizes: int | None, queue: str = "q", share: str | None = None) -> None:
        """Submit an array of each size, or a single job for None."""
        request: dict[str, object] = {"jobName": "j", "jobQueue": queue, "jobDefinition": "d"}
        request |= {} if share is None else {"shareIdentifier": share}
        with self.database.write() as tx:
            for size in sizes:
                submit_job(self._context(tx), request | ({} if size is None else {"arrayProperties": {"size": size}}))

    def make_fair_queues(self, queues: int) -> None:
        """Queues `q0`, `q1`, ... that share one fair-share policy."""
        with self.database.write() as tx:
            c = self._context(tx)
            arn = create_scheduling_policy(c, {"name": "fair", "fairsharePolicy": {}})["arn"]
            for number in range(queues):
                queue = {"jobQueueName": f"q{number}", "priority": 1, "computeEnvironmentOrder": self._order}
                create_job_queue(c, queue | {"schedulingPolicyArn": arn})

    def submit_shared(self, queues: int, queued: int) -> None:
        """A hundred arrays of so many children in all, over queues with fair share and their shares."""
        self.make_fair_queues(queues)
        for number in range(ARRAYS):
            self.submit(queued // ARRAYS, queue=f"q{number % queues}", share=f"s{number // queues % SHARES}")

    def run(self, jobs: int, profile: cProfile.Profile | None = None) -> Cost:
        """Run until so many more have ended, and say what each of them cost."""
        self.engine.prepare()
        started, cpu, until = time.perf_counter(), time.process_time(), self.executor.record + jobs
        if profile is not None:
            profile.enable()
        ticks = 0
        while self.executor.record < until:
            self.engine.step()
            self.executor.turn()
            ticks += 1
        self.engine.step()
        if profile is not None:
            profile.disable()
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        return Cost(cpu / jobs * 1e6, wall / jobs * 1e6, ticks)

    def __enter__(self) -> "EngineAlone":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()
        self._folder.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--single", action="store_true", help="single jobs instead of one array")
    parser.add_argument("--fair-queues", type=int, default=0, help="queues with fair share, instead of one without")
    parser.add_argument("--queued", type=int, default=1_000, help="children in the queues with fair share")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    profile = cProfile.Profile() if options.profile else None
    with EngineAlone(options.width) as alone:
        if options.fair_queues:
            alone.submit_shared(options.fair_queues, options.queued)
        elif options.single:
            alone.submit(*[None] * options.jobs)
        else:
            alone.submit(options.jobs)
        cost = alone.run(options.jobs, profile)
    print(f"{options.jobs} jobs in {cost.ticks} ticks: {cost.cpu:.0f} us CPU and {cost.wall:.0f} us wall a job")
    if profile is not None:
        pstats.Stats(profile).sort_stats("tottime").print_stats(45)


if __name__ == "__main__":
    main()
