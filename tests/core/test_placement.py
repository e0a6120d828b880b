"""Who starts next, and where."""

from dataclasses import replace

import pytest

from batchyard.core import reasons
from batchyard.core.ids import JobSeq
from batchyard.core.placement import Candidate, Environment, Placement, Plan, QueueHeads, Room, Snapshot, Supply, plan

MACHINE = Room(8, 8000, 1)


def one(
    seq: int, vcpus: float = 1, memory_mib: int = 100, gpus: int = 0, available: int = 1, ahead: int = 0
) -> Candidate:
    return Candidate(JobSeq(seq), Room(vcpus, memory_mib, gpus), available, ahead)


def queue(*candidates: Candidate, priority: int = 1, environments: tuple[str, ...] = ("a",)) -> QueueHeads:
    return QueueHeads(priority, environments, candidates)


def environment(name: str = "a", limit: float = 8, used: float = 0, accepts: bool = True) -> Environment:
    return Environment(name, limit, used, accepts)


def planned(
    *queues: QueueHeads, environments: tuple[Environment, ...] = (environment(),), free: Room = MACHINE
) -> Plan:
    return plan(Snapshot(MACHINE, free, {e.name: e for e in environments}, queues))


def placed(found: Plan) -> list[tuple[int, str, int]]:
    return [(p.seq, p.compute_environment, p.number) for p in found.placements]


def test_the_higher_priority_is_served_first() -> None:
    found = planned(queue(one(1, 8), priority=1), queue(one(2, 8), priority=9))
    assert placed(found) == [(2, "a", 1)]
    assert found.held == {1: {"a"}}


def test_within_a_queue_first_in_is_first_out() -> None:
    assert placed(planned(queue(one(1, 5), one(2, 3), one(3, 1)))) == [(1, "a", 1), (2, "a", 1)]


def test_an_array_is_placed_as_far_as_it_fits() -> None:
    found = planned(queue(one(1, 3, available=10), one(2)))
    assert placed(found) == [(1, "a", 2)]
    assert found.held == {1: {"a"}}


def test_environments_are_filled_in_the_queues_order() -> None:
    environments = (environment("a", 2), environment("b", 3))
    found = planned(queue(one(1, available=10), environments=("b", "a")), environments=environments)
    assert placed(found) == [(1, "b", 3), (1, "a", 2)]


def test_a_job_that_does_not_fit_the_first_environment_overflows_into_the_next() -> None:
    environments = (environment("a", 2), environment("b", 6))
    assert placed(planned(queue(one(1, 4), environments=("a", "b")), environments=environments)) == [(1, "b", 1)]


def test_nothing_is_placed_beyond_what_an_environment_has_left() -> None:
    assert placed(planned(queue(one(1, available=9)), environments=(environment(limit=4, used=3),))) == [(1, "a", 1)]


@pytest.mark.parametrize(
    ("candidate", "limit", "reason"),
    [
        (one(1, 9), 16, reasons.JOB_RESOURCE_REQUIREMENT),
        (one(1, 1, 9000), 16, reasons.JOB_RESOURCE_REQUIREMENT),
        (one(1, 1, gpus=2), 16, reasons.JOB_RESOURCE_REQUIREMENT),
        (one(1, 5), 4, reasons.COMPUTE_ENVIRONMENT_MAX_RESOURCE),
    ],
)
def test_what_can_never_fit_says_so_and_holds_up_nobody(candidate: Candidate, limit: float, reason: str) -> None:
    found = planned(queue(candidate, one(2)), environments=(environment(limit=limit),))
    assert found.misfits == {1: reason}
    assert placed(found) == [(2, "a", 1)]


def test_what_does_not_fit_now_holds_back_smaller_jobs_behind_it_also_in_other_queues() -> None:
    busy = Room(2, 8000, 1)
    found = planned(queue(one(1, 4), one(2)), queue(one(3), priority=0), free=busy)
    assert placed(found) == []
    assert found.held == {1: {"a"}}


def test_held_room_is_held_only_where_the_job_might_run() -> None:
    environments = (environment("a", 4, used=4), environment("b", 4))
    found = planned(queue(one(1)), queue(one(2), priority=0, environments=("a", "b")), environments=environments)
    assert placed(found) == [(2, "b", 1)]


def test_disabled_environments_take_nothing_and_hold_nothing() -> None:
    environments = (environment("a", accepts=False), environment("b", 2))
    both = ("a", "b")
    assert placed(planned(queue(one(1), environments=both), environments=environments)) == [(1, "b", 1)]
    found = planned(queue(one(1, 4), one(2), environments=both), environments=environments)
    assert placed(found) == [(2, "b", 1)]
    assert not found.misfits
    assert placed(planned(queue(one(1)), environments=(environments[0],))) == []


def test_gpus_are_counted() -> None:
    assert placed(planned(queue(one(1, gpus=1, available=3)))) == [(1, "a", 1)]


def test_short_jobs_are_placed_ahead_and_those_that_wait_already_count() -> None:
    assert placed(planned(queue(one(1, available=20, ahead=4)))) == [(1, "a", 8), (1, "a", 4)]
    overdrawn = replace(MACHINE, vcpus=-3)
    busy = (environment(used=11),)
    assert placed(planned(queue(one(1, available=20, ahead=4)), environments=busy, free=overdrawn)) == [(1, "a", 1)]


def test_jobs_that_need_the_one_gpu_are_not_placed_ahead_for_ever() -> None:
    taken = replace(MACHINE, gpus=-2)
    assert placed(planned(queue(one(1, gpus=1, available=9, ahead=2)), free=taken)) == []


def test_a_plan_is_an_answer_and_changes_nothing() -> None:
    snapshot = Snapshot(MACHINE, MACHINE, {"a": environment()}, [queue(one(1, available=3))])
    assert plan(snapshot) == plan(snapshot)
    assert plan(snapshot).placements == [Placement(JobSeq(1), "a", 3)]


def consuming(seq: int, *needs: tuple[str, int], vcpus: float = 1, available: int = 1) -> Candidate:
    return Candidate(JobSeq(seq), Room(vcpus, 100), available, consumes=needs)


def supplied(*queues: QueueHeads, free: Room = MACHINE, **supplies: tuple[int, int]) -> Plan:
    named = {name: Supply(total, left) for name, (total, left) in supplies.items()}
    return plan(Snapshot(MACHINE, free, {"a": environment()}, queues, named))


def test_consumable_resources_are_never_oversold_within_a_plan() -> None:
    found = supplied(queue(consuming(1, ("x", 2), available=9), consuming(2, ("x", 1))), x=(7, 5))
    assert placed(found) == [(1, "a", 2)], "one is left, and kept for the array that came first"
    assert found.held == {}


def test_the_scarcest_consumable_resource_counts() -> None:
    found = supplied(queue(consuming(1, ("x", 1), ("y", 3), available=9)), x=(9, 9), y=(9, 7))
    assert placed(found) == [(1, "a", 2)]


def test_a_lower_queue_does_not_take_what_a_higher_one_waits_for() -> None:
    high, low = queue(consuming(1, ("x", 3)), priority=9), queue(consuming(2, ("x", 1)), one(3))
    assert placed(supplied(high, low, x=(3, 2))) == [(3, "a", 1)]


def test_who_waits_for_room_keeps_its_consumable_resources() -> None:
    high, low = queue(consuming(1, ("x", 1), vcpus=8), priority=9), queue(consuming(2, ("x", 1)), environments=("a",))
    found = supplied(high, low, free=Room(4, 4000), x=(1, 1))
    assert placed(found) == []
    assert list(found.held) == [1]


def test_who_waits_for_consumable_resources_holds_no_room() -> None:
    found = supplied(queue(consuming(1, ("x", 1), vcpus=8), one(2, 8)), x=(1, 0))
    assert placed(found) == [(2, "a", 1)]


def test_more_than_can_ever_be_supplied_is_a_misfit() -> None:
    found = supplied(queue(consuming(1, ("x", 2)), consuming(2, ("x", 1))), x=(1, 1))
    assert found.misfits == {1: reasons.CONSUMABLE_RESOURCE}
    assert placed(found) == [(2, "a", 1)]


def training(seq: int, instance_type: str = "ml.m5.large", vcpus: float = 1) -> Candidate:
    return Candidate(JobSeq(seq), Room(vcpus, 100), instance_type=instance_type)


def test_service_jobs_take_instances_whatever_they_need_of_the_machine() -> None:
    environments = (environment("s", 2, 1), environment("a"))
    found = planned(
        queue(training(1, vcpus=4), training(2, vcpus=4), environments=("s",)),
        queue(one(3, 4)),
        environments=environments,
    )
    assert placed(found) == [(1, "s", 1), (3, "a", 1)]
    assert found.held == {2: {"s"}}


def test_limits_in_instance_types_hold_for_their_type_alone() -> None:
    names = ("s/large", "s/small")
    environments = (Environment("s/large", 1, 0, True, "large"), Environment("s/small", 1, 0, True, "small"))
    found = planned(
        queue(training(1, "small"), training(2, "huge"), training(3, "large"), environments=names),
        environments=environments,
    )
    assert placed(found) == [(1, "s/small", 1), (3, "s/large", 1)]
    assert found.misfits == {2: reasons.SERVICE_ENVIRONMENT_LIMIT}
