"""What the simulator says will happen is what the server does: one trace, told to both."""

import random

import pytest

from batchyard.core.ids import Millis
from batchyard.simulator.replay import replay
from batchyard.simulator.swf import Trace, TraceJob
from batchyard.simulator.yard import read_yard
from tests.engine.test_fair_share import make_queue, weight
from tests.engine.yard import Yard

MACHINE_VCPUS = 6
LATENCY_MILLIS = 500
"""What messages between the server and its supervisor may add up to; the simulator has none."""

POLICY = {"shareDecaySeconds": 300, "shareDistribution": [weight("user1", 0.5), weight("user3", 2.0)]}
FILE = """
[[computeEnvironments]]
computeEnvironmentName = "large"
maxvCpus = 6
[[jobQueues]]
jobQueueName = "fair"
[jobQueues.fairsharePolicy]
shareDecaySeconds = 300
computeReservation = {reservation}
shareDistribution = [
  {{ shareIdentifier = "user1", weightFactor = 0.5 }}, {{ shareIdentifier = "user3", weightFactor = 2.0 }}
]
"""


def work(seed: int) -> Trace:
    """Three users who want more than there is; no two jobs come at the same time, or their order would be chance."""
    chance = random.Random(seed)
    jobs, at = [], 0
    for number in range(1, 41):
        at += chance.randint(1, 9_000)
        run_millis = chance.randint(15_000, 90_000)
        jobs.append(TraceJob(number, Millis(at), run_millis, chance.choice([1, 1, 2, 3]), user=chance.randint(1, 3)))
    return Trace(jobs, MACHINE_VCPUS)


def served(yard: Yard, trace: Trace) -> dict[int, int]:
    """When the server starts each job of a trace, in milliseconds from its beginning."""
    clock = yard.world.clock
    began_at, arrivals = clock.now(), list(trace.jobs)
    numbers: dict[str, TraceJob] = {}
    started: dict[str, int] = {}
    while arrivals or yard.running():
        ends = {name: started[name] + numbers[name].run_millis for name in yard.running()}
        first = min(ends, key=lambda name: ends[name], default=None)
        if first is None or (arrivals and arrivals[0].submitted_at < ends[first]):
            job = arrivals.pop(0)
            clock.advance_to(Millis(began_at + job.submitted_at))
            vcpus = [{"type": "VCPU", "value": str(job.processors)}]
            share = {"shareIdentifier": f"user{job.user}", "containerOverrides": {"resourceRequirements": vcpus}}
            numbers[yard.submit(jobQueue="fair", **share)] = job
        else:
            clock.advance_to(Millis(began_at + ends[first]))
            yard.finish(first)
        for name in yard.running():
            started.setdefault(name, clock.now() - began_at)
    return {numbers[name].number: at for name, at in started.items()}


@pytest.mark.parametrize("reservation", [0, 50])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_server_starts_each_job_when_the_simulator_says(yard: Yard, seed: int, reservation: int) -> None:
    trace = work(seed)
    record = replay(trace, read_yard("same", FILE.format(reservation=reservation), trace))
    make_queue(yard, **POLICY, computeReservation=reservation)
    said = {run.number: run.started_at for run in record.runs}
    assert served(yard, trace) == pytest.approx(said, abs=LATENCY_MILLIS)
    assert max(run.waited_millis for run in record.runs) > 60_000, "they had to wait, or this says nothing"
