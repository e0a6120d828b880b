"""Traces and yards in a few words, for tests."""

from batchyard.core.ids import Millis
from batchyard.simulator.record import Record
from batchyard.simulator.replay import replay
from batchyard.simulator.swf import Trace, TraceJob
from batchyard.simulator.yard import SimulatedYard, read_yard

FAIR = """
[[jobQueues]]
jobQueueName = "batch"
fairsharePolicy = { shareDecaySeconds = 600, shareDistribution = [{ shareIdentifier = "user1", weightFactor = 0.5 }] }
"""


def job(number: int, at: float, run: float, processors: int = 1, user: int = 1, queue: int = 1) -> TraceJob:
    """A job; times in seconds."""
    return TraceJob(number, Millis(int(at * 1000)), int(run * 1000), processors, user=user, queue=queue)


def yard(text: str = "", vcpus: int = 4) -> SimulatedYard:
    """A yard of a file's text, on a machine of a few vCPUs."""
    return read_yard("paper", text, Trace((), vcpus))


def schedule(record: Record) -> dict[int, float]:
    """When each job started, in seconds, by its number."""
    return {run.number: run.started_at / 1000 for run in record.runs}


def starts(jobs: list[TraceJob], text: str = "", vcpus: int = 4) -> dict[int, float]:
    """When each of these jobs starts."""
    return schedule(replay(Trace(jobs), yard(text, vcpus)))
