"""A planner that keeps the rules passes, and each that breaks one is caught at it."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from batchyard.core.placement import Plan, QueueHeads, Room, Snapshot, plan
from batchyard.simulator.fairness import comparisons, finding
from batchyard.simulator.properties import Finding, check
from batchyard.simulator.replay import Planner, replay
from batchyard.simulator.swf import Trace
from tests.simulator.paper import FAIR, job, yard

RESERVING = FAIR.replace("shareDecaySeconds = 600", "shareDecaySeconds = 600, computeReservation = 50")
PRIORITIES = """
[[computeEnvironments]]
computeEnvironmentName = "all"
maxvCpus = 4
[[computeEnvironments]]
computeEnvironmentName = "half"
maxvCpus = 2
[[jobQueues]]
jobQueueName = "normal"
computeEnvironmentOrder = ["half", "all"]
[[jobQueues]]
jobQueueName = "urgent"
priority = 10
traceQueues = [2]
"""
CAPACITY = "capacity is never exceeded"
ORDER = "first in, first out among equals"
PRIORITY = "the queue of higher priority goes first"
RESERVATION = "what is reserved stays free"
STARVATION = "nobody starves"
IDLE = "no room idles while the next job fits"
SHARES = "shares get what their weights say, within 5%"


@cache
def work() -> Trace:
    """Four users with more to do than there is room, all the time; a fifth comes late."""
    jobs = [job(n, n // 4, 20 + n * 7 % 50, 1 + n % 5 // 4, user=1 + n % 4, queue=1 + n % 2) for n in range(1, 1200)]
    return Trace([*jobs, *(job(n, 4000 + n, 20, user=5) for n in range(1200, 1210))])


def findings(text: str, planner: Planner) -> dict[str, Finding]:
    """What is found in a replay, by the property's name."""
    record = replay(work(), yard(text), planner)
    return {one.name: one for one in (*check(record), finding(list(comparisons(record))))}


def shown(change: Callable[[QueueHeads], QueueHeads]) -> Planner:
    """A planner that is shown other queues than there are."""
    return lambda snapshot: plan(replace(snapshot, queues=[change(queue) for queue in snapshot.queues]))


def oversells_the_environments(snapshot: Snapshot) -> Plan:
    doubled = {name: replace(one, limit=one.limit * 2) for name, one in snapshot.environments.items()}
    return plan(replace(snapshot, environments=doubled))


def oversells(snapshot: Snapshot) -> Plan:
    free = Room(snapshot.free.vcpus + 1, snapshot.free.memory_mib)
    return oversells_the_environments(replace(snapshot, free=free))


def places_one_at_a_time(snapshot: Snapshot) -> Plan:
    made = plan(snapshot)
    return Plan(made.placements[:1], made.misfits)


def places_nothing(snapshot: Snapshot) -> Plan:
    return Plan()


def last_in_first_out(queue: QueueHeads) -> QueueHeads:
    return replace(queue, candidates=reversed(list(queue.candidates)))


def upside_down(queue: QueueHeads) -> QueueHeads:
    return replace(queue, priority=-queue.priority)


def reserves_nothing(queue: QueueHeads) -> QueueHeads:
    assert queue.fair is not None
    return replace(queue, fair=replace(queue.fair, unreserved=float("inf")))


def ignores_weights(queue: QueueHeads) -> QueueHeads:
    assert queue.fair is not None
    return replace(queue, fair=replace(queue.fair, lines=[(replace(s, weight=1), h) for s, h in queue.fair.lines]))


def forgets_a_share(queue: QueueHeads) -> QueueHeads:
    assert queue.fair is not None
    lines = [line for line in queue.fair.lines if line[0].share_identifier != "user5"]
    return replace(queue, fair=replace(queue.fair, lines=lines))


@pytest.mark.parametrize("text", ["", FAIR, RESERVING, PRIORITIES], ids=["fifo", "fair", "reserving", "priorities"])
def test_the_planner_of_the_product_keeps_every_rule(text: str) -> None:
    found = findings(text, plan)
    assert {name: one.examples for name, one in found.items() if not one.holds} == {}
    tested = {name for name, one in found.items() if one.tested}
    of_all = {CAPACITY, ORDER}
    wanted = {
        "": of_all | {IDLE},
        FAIR: of_all | {IDLE, STARVATION, SHARES},
        RESERVING: of_all | {STARVATION, RESERVATION, SHARES},
        PRIORITIES: of_all | {IDLE, PRIORITY},
    }
    assert tested == wanted[text]


@pytest.mark.parametrize(
    ("text", "planner", "broken"),
    [
        ("", oversells, CAPACITY),
        (PRIORITIES, oversells_the_environments, CAPACITY),
        ("", shown(last_in_first_out), ORDER),
        (PRIORITIES, shown(upside_down), PRIORITY),
        (RESERVING, shown(reserves_nothing), RESERVATION),
        ("", places_one_at_a_time, IDLE),
        ("", places_nothing, STARVATION),
        (FAIR, shown(forgets_a_share), STARVATION),
        (FAIR, shown(ignores_weights), SHARES),
    ],
)
def test_a_planner_that_breaks_a_rule_is_caught(text: str, planner: Planner, broken: str) -> None:
    found = findings(text, planner)[broken]
    assert not found.holds
    assert found.violations > 0
    assert found.examples
