"""Small replays, next to schedules worked out by hand."""

import pytest

from batchyard.core.ids import Millis
from batchyard.simulator.replay import replay
from batchyard.simulator.swf import Trace, TraceJob
from tests.simulator.paper import FAIR, job, schedule, starts, yard

TWO_QUEUES = """
[[computeEnvironments]]
computeEnvironmentName = "small"
maxvCpus = 1
[[computeEnvironments]]
computeEnvironmentName = "large"
maxvCpus = 3
[[jobQueues]]
jobQueueName = "normal"
computeEnvironmentOrder = ["large"]
[[jobQueues]]
jobQueueName = "urgent"
priority = 10
traceQueues = [2]
"""


def test_first_in_first_out() -> None:
    """Four vCPUs. 1 and 2 start; 3 needs all four and holds back 4, which would fit."""
    jobs = [job(1, 0, 10, 2), job(2, 1, 20, 1), job(3, 2, 5, 4), job(4, 3, 5, 1), job(5, 30, 5, 1)]
    assert starts(jobs) == {1: 0, 2: 1, 3: 21, 4: 26, 5: 30}


def test_what_ends_makes_room_at_the_same_moment() -> None:
    assert starts([job(1, 0, 10, 4), job(2, 10, 10, 4)]) == {1: 0, 2: 10}


def test_fair_share_takes_turns_by_weight() -> None:
    """One vCPU, tau is 300 s. By weight times usage at 20 s: 0.5 * 9.5 against 9.8, so user1 again. At 30 s it is
    0.5 * (9.20 + 9.83) = 9.517 against 9.512, so user2; at 40 s it is 0.5 * (8.90 + 9.51) against 9.20 + 9.83."""
    jobs = [job(n, 0, 10, user=1) for n in (1, 2, 3, 4)] + [job(n, 0, 10, user=2) for n in (5, 6)]
    assert starts(jobs, FAIR, vcpus=1) == {1: 0, 5: 10, 2: 20, 6: 30, 3: 40, 4: 50}


def test_queues_by_priority_and_their_environments() -> None:
    """2 may not use the small environment. 3 comes later and goes first; 4 overflows into the large one, before 2."""
    jobs = [job(1, 0, 10, 3), job(2, 1, 10, 3), job(3, 2, 10, 1, queue=2), job(4, 3, 10, 1, queue=2)]
    assert starts(jobs, TWO_QUEUES) == {1: 0, 3: 2, 4: 10, 2: 20}


def test_memory_counts_where_the_machine_says_how_much_it_has() -> None:
    jobs = [TraceJob(n, Millis(0), 10_000, 1, memory_mib=600) for n in (1, 2)]
    assert starts(jobs, "memory = 1000") == {1: 0, 2: 10}
    assert starts(jobs) == {1: 0, 2: 0}


def test_a_job_follows_the_one_before_it_after_a_while() -> None:
    jobs = [job(1, 0, 10), TraceJob(2, Millis(0), 5000, 1, preceding=1, think_millis=3000)]
    record = replay(Trace(jobs), yard())
    assert schedule(record) == {1: 0, 2: 13}
    assert record.runs[1].waited_millis == 0, "it is submitted when it may be"


def test_what_can_never_fit_holds_up_nobody() -> None:
    follower = TraceJob(3, Millis(0), 1000, 1, preceding=1)
    record = replay(Trace([job(1, 0, 10, 5), job(2, 0, 10, 4), follower]), yard())
    assert [run.number for run in record.misfits] == [1]
    assert schedule(record) == {2: 0, 3: 10}


@pytest.mark.parametrize("text", ["", FAIR, TWO_QUEUES])
def test_a_replay_is_a_function_of_its_trace_and_yard(text: str) -> None:
    jobs = [job(n, n % 7, 1 + n % 13, 1 + n % 3, user=n % 4, queue=n % 2) for n in range(1, 200)]
    assert replay(Trace(jobs), yard(text)) == replay(Trace(jobs), yard(text))
