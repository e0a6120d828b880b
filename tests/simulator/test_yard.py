"""The file that says what a trace is replayed against."""

from pathlib import Path

import pytest

from batchyard.core.placement import Room
from batchyard.simulator.swf import Trace
from batchyard.simulator.yard import SimulatedQueue, SimulatedYard, YardProblem, read_yard
from tests.docs.repository import ROOT
from tests.simulator.paper import job, yard

SHIPPED = sorted((ROOT / "examples" / "scheduling").glob("*.toml"))


def test_an_empty_file_is_one_queue_on_the_machine_of_the_trace() -> None:
    queue = SimulatedQueue("default", 1, ("machine",))
    assert read_yard("empty", "", Trace((), 8)) == SimulatedYard("empty", Room(8, 1), {"machine": 8}, [queue])


def test_policies_and_shares_are_those_of_the_api() -> None:
    text = """
    vcpus = 10
    [[jobQueues]]
    jobQueueName = "q"
    shares = "group"
    [jobQueues.fairsharePolicy]
    shareDecaySeconds = 1200
    computeReservation = 20
    shareDistribution = [{ shareIdentifier = "group*", weightFactor = 0.25 }]
    """
    queue = yard(text).queues[0]
    assert queue.policy is not None
    assert (queue.policy.window_seconds, queue.policy.compute_reservation) == (1200, 20)
    assert queue.share_identifier(job(1, 0, 1)) == "group0", "the group is not known"
    assert queue.policy.weight("group7") == 0.25
    assert yard(text).machine.vcpus == 10


def test_a_queue_takes_the_jobs_of_the_queues_it_names_and_the_first_takes_the_rest() -> None:
    found = yard('[[jobQueues]]\njobQueueName = "a"\n[[jobQueues]]\njobQueueName = "b"\ntraceQueues = [2, 3]\n')
    assert [found.queue_of(job(1, 0, 1, queue=number)).name for number in (-1, 1, 2, 3)] == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("vcpus = ", "bad: "),
        ("vcpus = 'many'", "Expected `float | null`, got `str`"),
        ("cpus = 4", "unknown field `cpus`"),
        ("vcpus = 1\njobQueues = []", "jobQueues is empty"),
        ("", "neither it nor the trace"),
        ('vcpus = 1\n[[jobQueues]]\njobQueueName = "q"\ncomputeEnvironmentOrder = ["x"]', "q names x, which is not"),
        (
            'vcpus = 1\n[[jobQueues]]\njobQueueName = "q"\nfairsharePolicy = { shareDecaySeconds = -1 }',
            "bad: fairsharePolicy: ",
        ),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(text: str, said: str) -> None:
    with pytest.raises(YardProblem) as problem:
        read_yard("bad", text, Trace(()))
    assert said in str(problem.value)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_files_are_read(path: Path) -> None:
    assert read_yard("shipped", path.read_text(), Trace((), 64)).queues
