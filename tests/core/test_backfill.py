"""Who may pass a blocked job, and when nobody can say."""

from dataclasses import replace

import pytest

from batchyard.core.backfill import LOOK_AHEAD, Ending
from batchyard.core.fair_share import Standing
from batchyard.core.ids import JobSeq
from batchyard.core.placement import Candidate, Environment, FairHeads, Plan, QueueHeads, Room, Snapshot, plan

MACHINE = Room(8, 8000)
HEAD = Candidate(JobSeq(1), Room(6, 100))
SMALL = Candidate(JobSeq(2), Room(1, 100))
RUNS = Ending(Room(4, 100), "a", 100)


def planned(
    *behind: Candidate,
    timeout: float | None = 60,
    endings: tuple[Ending, ...] = (RUNS,),
    environments: tuple[Environment, ...] = (Environment("a", 8, 4, accepts=True),),
    others: tuple[QueueHeads, ...] = (),
    grace_seconds: float = 0,
    **more: object,
) -> Plan:
    """The machine has 4 of 8 vCPUs free; the head needs 6."""
    queue = QueueHeads(1, tuple(e.name for e in environments), [HEAD, *behind], backfill=True)
    return plan(
        Snapshot(
            MACHINE,
            MACHINE.less(Room(4, 100)),
            {e.name: e for e in environments},
            [*others, replace(queue, **more)],  # type: ignore[arg-type]
            endings=endings,
            timeouts={JobSeq(seq): timeout for seq in range(LOOK_AHEAD + 10)},
            grace_seconds=grace_seconds,
        )
    )


def placed(found: Plan) -> list[tuple[int, int]]:
    return [(one.seq, one.number) for one in found.placements]


@pytest.mark.parametrize(
    ("timeout", "grace_seconds", "passes"), [(100, 0, True), (101, 0, False), (71, 30, False), (70, 30, True)]
)
def test_it_passes_that_has_gone_in_time(timeout: int, grace_seconds: float, passes: bool) -> None:
    found = planned(SMALL, timeout=timeout, grace_seconds=grace_seconds)
    assert placed(found) == ([(2, 1)] if passes else [])
    assert found.backfilled == ({2} if passes else set())
    assert found.held == {1: {"a"}}
    assert found.room_within == {1: 100}


def test_without_a_timeout_nothing_passes() -> None:
    assert placed(planned(SMALL, timeout=None)) == []


def test_without_backfill_nothing_passes() -> None:
    found = planned(SMALL, backfill=False)
    assert (placed(found), found.room_within) == ([], {})


def test_nobody_passes_where_what_runs_has_no_timeout() -> None:
    found = planned(SMALL, endings=(RUNS._replace(within=None),))
    assert (placed(found), found.room_within) == ([], {})


def test_what_the_head_does_not_need_may_run_for_ever() -> None:
    endings = (Ending(Room(2, 100), "a", None), Ending(Room(1, 0), "a", 70), Ending(Room(1, 0), "a", 80))
    assert planned(SMALL, endings=endings).room_within == {1: 80}


def test_what_the_same_plan_placed_is_waited_for_too() -> None:
    first = Candidate(JobSeq(0), Room(3, 100))
    queue = QueueHeads(2, ("a",), [first])
    found = planned(SMALL, timeout=60, others=(queue,))
    assert placed(found) == [(0, 1), (2, 1)]
    assert found.room_within == {1: 100}, "60 seconds give back 3, which is not enough"


def test_as_many_children_pass_as_there_is_room() -> None:
    assert placed(planned(replace(SMALL, available=9, ahead=5))) == [(2, 4)]


def test_only_so_many_are_looked_at() -> None:
    large = [Candidate(JobSeq(2 + n), Room(5, 100)) for n in range(LOOK_AHEAD)]
    last = Candidate(JobSeq(2 + LOOK_AHEAD), Room(1, 100))
    assert placed(planned(*large, last)) == []
    assert placed(planned(*large[1:], last)) == [(last.seq, 1)]


def test_what_needs_consumable_resources_does_not_pass() -> None:
    assert placed(planned(replace(SMALL, consumes=(("permit", 1),)))) == []


def test_room_that_is_kept_for_another_queue_stays_so() -> None:
    environments = (Environment("a", 8, 4, accepts=True), Environment("b", 2, 2, accepts=True))
    above = QueueHeads(9, ("b",), [Candidate(JobSeq(0), Room(1, 100))])
    assert placed(planned(SMALL, environments=environments, others=(above,))) == [(2, 1)]
    full = (Environment("a", 6, 4, accepts=True), Environment("b", 2, 0, accepts=True))
    above = QueueHeads(9, ("a",), [Candidate(JobSeq(0), Room(4, 100))])
    found = planned(SMALL, environments=full, others=(above,))
    assert [(p.seq, p.compute_environment) for p in found.placements] == [(2, "b")]


def test_an_environment_that_is_full_is_waited_for_as_the_machine_is() -> None:
    environments = (Environment("a", 6, 4, accepts=True),)
    assert planned(SMALL, environments=environments).room_within == {1: 100}
    elsewhere = (RUNS._replace(environment="other"),)
    assert planned(SMALL, environments=environments, endings=elsewhere).room_within == {}


def test_shares_pass_in_their_turn_and_leave_the_reserve() -> None:
    lines = [
        (Standing("a", 1.0, 0.0, 0.0, 0.0), [HEAD, replace(SMALL, available=9)]),
        (Standing("b", 1.0, 5.0, 0.0, 0.0), [replace(SMALL, seq=JobSeq(3))]),
    ]
    assert placed(planned(fair=FairHeads(lines))) == [(2, 4)]
    assert placed(planned(fair=FairHeads(lines, unreserved=12, used=4))) == [(2, 4)]
    assert placed(planned(fair=FairHeads(lines, unreserved=10, used=4))) == [(2, 4)]
    few = [(lines[0][0], [HEAD, SMALL]), lines[1]]
    assert placed(planned(fair=FairHeads(few, unreserved=11, used=4))) == [(2, 1), (3, 1)]
