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
from pathlib import Path

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


def submit_shared(c: Context, queues: int, queued: int) -> None:
    """A hundred arrays of so many children in all, over queues with fair share and their shares."""
    arn = create_scheduling_policy(c, {"name": "fair", "fairsharePolicy": {}})["arn"]
    order = [{"order": 1, "computeEnvironment": "e"}]
    for number in range(queues):
        queue = {"jobQueueName": f"q{number}", "priority": 1, "computeEnvironmentOrder": order}
        create_job_queue(c, queue | {"schedulingPolicyArn": arn})
    for number in range(ARRAYS):
        request = {"jobName": "j", "jobQueue": f"q{number % queues}", "jobDefinition": "d"}
        request |= {"shareIdentifier": f"s{number // queues % SHARES}"}
        submit_job(c, request | {"arrayProperties": {"size": queued // ARRAYS}})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=50)
    parser.add_argument("--single", action="store_true", help="single jobs instead of one array")
    parser.add_argument("--fair-queues", type=int, default=0, help="queues with fair share, instead of one without")
    parser.add_argument("--queued", type=int, default=1_000, help="children in the queues with fair share")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Database.at(Path(folder))
        database.migrate()
        executor = Instant(options.width)
        engine = Engine(database, executor, x.Capacity(2.0, 8192))
        clock = SystemClock()

        def context(tx: Transaction) -> Context:
            return Context(tx, clock.now(), "us-east-1", Settings(), RandomIds(), engine.terms)

        def prepare(tx: Transaction) -> None:
            c = context(tx)
            resources = {"type": "EC2", "maxvCpus": 2, "minvCpus": 0, "subnets": ["s"], "instanceTypes": ["optimal"]}
            resources |= {"instanceRole": "r", "securityGroupIds": []}
            create_compute_environment(
                c, {"computeEnvironmentName": "e", "type": "MANAGED", "computeResources": resources}
            )
            order = [{"order": 1, "computeEnvironment": "e"}]
            create_job_queue(c, {"jobQueueName": "q", "priority": 1, "computeEnvironmentOrder": order})
            properties = {"image": "i", "vcpus": 1, "memory": 128, "command": ["true"]}
            register_job_definition(
                c, {"jobDefinitionName": "d", "type": "container", "containerProperties": properties}
            )
            request = {"jobName": "j", "jobQueue": "q", "jobDefinition": "d"}
            if options.fair_queues:
                submit_shared(c, options.fair_queues, options.queued)
            elif options.single:
                for _ in range(options.jobs):
                    submit_job(c, request)
            else:
                submit_job(c, request | {"arrayProperties": {"size": options.jobs}})

        with database.write() as tx:
            prepare(tx)
        engine.prepare()
        profile = cProfile.Profile()
        started, cpu = time.perf_counter(), time.process_time()
        if options.profile:
            profile.enable()
        turns = 0
        while executor.record < options.jobs:
            engine.step()
            executor.turn()
            turns += 1
        engine.step()
        profile.disable()
        wall, cpu = time.perf_counter() - started, time.process_time() - cpu
        print(
            f"{options.jobs} jobs in {turns} ticks: {cpu / options.jobs * 1e6:.0f} us CPU and "
            f"{wall / options.jobs * 1e6:.0f} us wall a job"
        )
        if options.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        database.close()


if __name__ == "__main__":
    main()
