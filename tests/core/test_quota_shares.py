"""Quota shares divide a queue's training instances, lend what is idle, and borrow within their limits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.core import reasons
from batchyard.core.ids import AttemptId, JobSeq, Millis
from batchyard.core.placement import Candidate, Environment, Plan, QueueHeads, QuotaHeads, Room, Snapshot, plan
from batchyard.core.quota_shares import Ledger, QuotaShare, Running, quota_share
from batchyard.core.service_capacity import NUM_INSTANCES

KIND = "ml.m5.large"
MACHINE = Room(100, 10_000)


def share(name: str, limit: int, *, lends: bool = True, borrow: int = 0, is_open: bool = True) -> QuotaShare:
    return QuotaShare(name, {KIND: limit}, lends, borrow, is_open)


def job(seq: int, kind: str = KIND, vcpus: float = 1) -> Candidate:
    return Candidate(JobSeq(seq), Room(vcpus, 1), instance_type=kind)


def served(
    shares: list[QuotaShare], lines: dict[str, list[Candidate]], *, used: dict[str, int] | None = None, limit: int = 10
) -> Plan:
    held = used or {}
    environment = Environment("s", limit, sum(held.values()), accepts=True, unit=KIND)
    quota = QuotaHeads(shares, {(name, KIND): number for name, number in held.items()}, list(lines.items()))
    return plan(Snapshot(MACHINE, MACHINE, {"s": environment}, [QueueHeads(1, ("s",), [], quota=quota)]))


def placed(found: Plan) -> list[int]:
    return [placement.seq for placement in found.placements]


@pytest.mark.parametrize(
    ("sharing", "lends", "borrow"),
    [
        ({"strategy": "RESERVE"}, False, 0),
        ({"strategy": "LEND"}, True, 0),
        ({"strategy": "LEND_AND_BORROW", "borrowLimit": -1}, True, -1),
        ({"strategy": "LEND_AND_BORROW", "borrowLimit": 50}, True, 50),
    ],
)
def test_what_a_document_says(sharing: dict[str, Any], lends: bool, borrow: int) -> None:
    limits = [{"capacityUnit": KIND, "maxCapacity": 3}]
    found = quota_share("a", {"capacityLimits": limits, "resourceSharingConfiguration": sharing}, is_open=True)
    assert found == QuotaShare("a", {KIND: 3}, lends, borrow)


def test_nobody_holds_more_than_its_own_without_borrowing() -> None:
    found = served([share("a", 2), share("b", 3)], {"a": [job(1), job(2), job(3)], "b": [job(4)]})
    assert placed(found) == [1, 2, 4]
    assert found.held == {}


def test_idle_instances_are_lent_to_who_came_first() -> None:
    shares = [share("a", 1, borrow=-1), share("b", 1, borrow=-1), share("c", 3)]
    lines = {"a": [job(1), job(4), job(6)], "b": [job(2), job(3), job(5)]}
    assert placed(served(shares, lines)) == [1, 2, 3, 4, 5], "two of their own, and three that c leaves idle"


def test_what_is_ones_own_goes_before_what_is_borrowed() -> None:
    shares = [share("a", 1, borrow=-1), share("b", 2)]
    assert placed(served(shares, {"a": [job(1), job(2)], "b": [job(3), job(4)]}, limit=3)) == [1, 3, 4]


def test_what_is_reserved_is_not_lent() -> None:
    shares = [share("a", 1, borrow=-1), share("b", 3, lends=False)]
    assert placed(served(shares, {"a": [job(1), job(2)]})) == [1]


def test_the_borrow_limit_is_a_percentage_of_ones_own() -> None:
    shares = [share("a", 2, borrow=50), share("b", 9)]
    assert placed(served(shares, {"a": [job(n) for n in range(1, 6)]}, limit=20)) == [1, 2, 3]


def test_what_is_lent_once_is_not_lent_twice() -> None:
    shares = [share("a", 1, borrow=-1), share("b", 1, borrow=-1), share("c", 1)]
    assert placed(served(shares, {"a": [job(1)], "b": [job(2)]}, used={"a": 2, "b": 1})) == []


def test_a_closed_share_holds_back_nobody_and_lends() -> None:
    shares = [share("a", 2, is_open=False), share("b", 1, borrow=-1)]
    assert placed(served(shares, {"a": [job(1)], "b": [job(2), job(3)]})) == [2, 3]


def test_who_is_entitled_keeps_the_room_that_others_have_borrowed() -> None:
    shares = [share("a", 2), share("b", 1, borrow=-1)]
    found = served(shares, {"a": [job(1)], "b": [job(2)]}, used={"b": 3}, limit=3)
    assert placed(found) == []
    assert list(found.held) == [1]


def test_an_instance_type_that_the_share_has_none_of_is_a_misfit() -> None:
    found = served([share("a", 2)], {"a": [job(1, "ml.p4d.24xlarge"), job(2)]})
    assert placed(found) == [2]
    assert found.misfits == {1: reasons.QUOTA_SHARE_LIMIT}


@given(
    st.lists(
        st.tuples(st.integers(1, 4), st.booleans(), st.sampled_from([0, -1, 50, 200]), st.integers(0, 8)), max_size=4
    ),
    st.integers(1, 12),
)
def test_quota_is_never_oversold(made: list[tuple[int, bool, int, int]], limit: int) -> None:
    shares = [share(str(n), own, lends=lends, borrow=borrow) for n, (own, lends, borrow, _) in enumerate(made)]
    lines = {str(n): [job(10 * n + i) for i in range(1, jobs + 1)] for n, (_, _, _, jobs) in enumerate(made)}
    found = placed(served(shares, lines, limit=limit))
    assert len(found) <= limit
    held = {s.name: sum(seq // 10 == int(s.name) for seq in found) for s in shares}
    borrowed = {s.name: max(0, held[s.name] - s.limits[KIND]) for s in shares}
    idle = sum(max(0, s.limits[KIND] - held[s.name]) for s in shares if s.lends)
    assert sum(borrowed.values()) <= idle
    for s in shares:
        most = borrowed[s.name] if s.borrow_percent == -1 else s.limits[KIND] * s.borrow_percent // 100
        assert borrowed[s.name] <= most


def test_a_ledger_counts_what_is_taken() -> None:
    ledger = Ledger([share("a", 1, borrow=-1), share("b", 2)], {})
    assert (ledger.own("a", KIND), ledger.lent("a", KIND)) == (1, 3)
    ledger.take("a", KIND)
    assert (ledger.own("a", KIND), ledger.lent("a", KIND)) == (0, 2)
    assert (ledger.own("none", KIND), ledger.lent("none", KIND)) == (0, 0)


# --------------------------------------------------------------------------------------------------------- preemption


def run(name: str, share_: str, *, priority: int = 0, at: int = 0, is_stopping: bool = False) -> Running:
    return Running(AttemptId(name), share_, KIND, priority, Millis(at), is_stopping)


def preempted(
    shares: list[QuotaShare], lines: dict[str, list[Candidate]], running: list[Running], limit: int
) -> list[str]:
    used: dict[tuple[str, str], int] = {}
    for one in running:
        used[one.share, KIND] = used.get((one.share, KIND), 0) + 1
    environment = Environment("s", limit, len(running), accepts=True, unit=KIND)
    quota = QuotaHeads(shares, used, list(lines.items()), running)
    made = plan(Snapshot(MACHINE, MACHINE, {"s": environment}, [QueueHeads(1, ("s",), [], quota=quota)]))
    assert made.placements == []
    return list(made.preempted)


BORROWED = [run("x", "b", priority=5), run("y", "b", at=1), run("z", "b", at=2)]
LENT = [share("a", 2), share("b", 1, borrow=-1)]


def test_what_was_borrowed_is_taken_back_from_the_least_important_and_the_latest() -> None:
    assert preempted(LENT, {"a": [job(1)]}, BORROWED, 3) == ["z"]
    assert preempted(LENT, {"a": [job(1), job(2)]}, BORROWED, 3) == ["z", "y"]
    assert preempted(LENT, {"a": [job(n) for n in range(1, 6)]}, BORROWED, 3) == ["z", "y"], "not what is b's own"


def test_what_stops_already_is_not_asked_twice() -> None:
    stopping = [*BORROWED[:2], run("z", "b", at=2, is_stopping=True)]
    assert preempted(LENT, {"a": [job(1)]}, stopping, 3) == []
    assert preempted(LENT, {"a": [job(1), job(2)]}, stopping, 3) == ["y"]


def test_nothing_is_preempted_for_who_wants_to_borrow() -> None:
    shares = [share("a", 1, borrow=-1), share("b", 1, borrow=-1), share("c", 1)]
    running = [run("x", "a"), run("y", "b"), run("z", "b")]
    assert preempted(shares, {"a": [job(1)]}, running, 3) == []


@pytest.mark.parametrize(("preempts", "priority", "expected"), [(True, 3, ["y"]), (True, 1, []), (False, 9, [])])
def test_in_share_preemption(preempts: bool, priority: int, expected: list[str]) -> None:
    shares = [QuotaShare("a", {KIND: 2}, lends=False, borrow_percent=0, preempts=preempts)]
    running = [run("x", "a", priority=2), run("y", "a", priority=1)]
    head = Candidate(JobSeq(1), Room(1, 1), instance_type=KIND, priority=priority)
    assert preempted(shares, {"a": [head]}, running, 2) == expected


def test_instances_of_all_types_are_counted_together_where_the_limit_is_a_number_of_instances() -> None:
    def counted(name: str, limit: int, borrow: int = 0) -> QuotaShare:
        return QuotaShare(name, {NUM_INSTANCES: limit}, lends=True, borrow_percent=borrow)

    used = {("a", KIND): 1, ("a", "ml.g5.xlarge"): 1}
    ledger = Ledger([counted("a", 3), counted("b", 1, borrow=200)], used)
    assert ledger.has_any("a", "ml.p5.48xlarge")
    assert (ledger.own("a", KIND), ledger.own("a", "ml.p5.48xlarge")) == (1, 1)
    ledger.take("b", "ml.p5.48xlarge")
    assert (ledger.own("b", KIND), ledger.lent("b", KIND)) == (0, 1)
    ledger.take("b", KIND)
    assert (ledger.beyond("b", "ml.t3.medium"), ledger.lent("b", KIND)) == (1, 0)
