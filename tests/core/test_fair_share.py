"""Whose turn it is by fair share: the rules, and the worked examples of AWS's pages."""

import math
from typing import Any

import pytest

from batchyard.core.fair_share import (
    FairSharePolicy,
    Held,
    Standing,
    Turns,
    Usage,
    active_shares,
    faded,
    fair_share_policy,
    pledged,
    ran,
    reserved_ratio,
    standings,
)
from batchyard.core.ids import JobSeq, Millis
from batchyard.core.placement import Candidate, Environment, FairHeads, Plan, QueueHeads, Room, Snapshot, plan

NOW = Millis(10_000_000)


def policy(*weights: tuple[str, float], decay: int = 600, reservation: int = 0) -> FairSharePolicy:
    shares = [{"shareIdentifier": share, "weightFactor": weight} for share, weight in weights]
    document = {"shareDecaySeconds": decay, "computeReservation": reservation, "shareDistribution": shares}
    return fair_share_policy(document)


def served(
    fair: FairSharePolicy,
    *lines: tuple[Standing, list[Candidate]],
    vcpus: float = 8,
    unreserved: float = math.inf,
    used: float = 0.0,
    free: float | None = None,
) -> tuple[dict[str, int], Plan]:
    """How many units of each share are placed on a machine of so many vCPUs, and the plan."""
    charged = [(standing, [_charged(candidate, fair) for candidate in candidates]) for standing, candidates in lines]
    machine = Room(vcpus, 1_000_000)
    left = Room(vcpus if free is None else free, 1_000_000)
    environment = Environment("a", vcpus, vcpus - left.vcpus, accepts=True)
    heads = QueueHeads(1, ("a",), [], FairHeads(charged, unreserved, used))
    made = plan(Snapshot(machine, left, {"a": environment}, [heads]))
    share_of = {c.seq: standing.share_identifier for standing, candidates in charged for c in candidates}
    counts = dict.fromkeys(share_of.values(), 0)
    for placed in made.placements:
        counts[share_of[placed.seq]] += placed.number
    return counts, made


def _charged(candidate: Candidate, fair: FairSharePolicy) -> Candidate:
    charge = pledged(fair, candidate.need.vcpus)
    return Candidate(candidate.seq, candidate.need, candidate.available, charge=charge)


def job(seq: int, vcpus: float = 1, available: int = 1) -> Candidate:
    return Candidate(JobSeq(seq), Room(vcpus, 1), available)


def stands(share: str, weight: float = 1.0, used: float = 0.0) -> Standing:
    return Standing(share, weight, used)


# ---------------------------------------------------------------------------------------------------- worked examples


def test_two_jobs_of_32_vcpus_for_each_of_64() -> None:
    """CDK, module aws-batch, Fairshare Scheduling: two shares of weight 1, jobs of 32 and of 64 vCPUs."""
    a, b = (stands("A"), [job(1, 32, 100)]), (stands("B"), [job(2, 64, 100)])
    assert served(policy(), a, b, vcpus=256)[0] == {"A": 4, "B": 2}


def test_an_eighth_of_the_weight_gets_eight_times_the_compute() -> None:
    """User Guide, Use fair-share scheduling to help schedule jobs; API Reference, ShareAttributes."""
    fair = policy(("light", 0.125))
    light, plain = (stands("light", fair.weight("light")), [job(1, 1, 999)]), (stands("plain"), [job(2, 1, 999)])
    assert served(fair, light, plain, vcpus=90)[0] == {"light": 80, "plain": 10}


def test_weights_of_0_5_1_and_2() -> None:
    """The weights of the CDK's example of computeReservation: what each gets is inverse to its weight."""
    fair = policy(("A", 1), ("B", 0.5), ("C", 2))
    lines = [(stands(s, fair.weight(s)), [job(seq, 1, 999)]) for seq, s in enumerate("ABC", 1)]
    assert served(fair, *lines, vcpus=70)[0] == {"A": 20, "B": 40, "C": 10}


@pytest.mark.parametrize(
    ("reservation", "percentages"),
    [(50, [50, 25, 12.5]), (25, [25, 6.25, 1.5625]), (75, [75, 56.25, 42.1875]), (0, [0, 0, 0])],
)
def test_the_reserved_ratio(reservation: int, percentages: list[float]) -> None:
    """API Reference, FairsharePolicy (50 and 25); CDK, module aws-batch (75), with one, two and three active shares."""
    fair = policy(reservation=reservation)
    assert [100 * reserved_ratio(fair, n) for n in (1, 2, 3)] == pytest.approx(percentages)


def test_three_shares_compete_for_what_is_not_reserved() -> None:
    """CDK, module aws-batch: with 75 and three active shares they share 57.8125 % of the capacity by their weights."""
    fair = policy(("A", 1), ("B", 0.5), ("C", 2), reservation=75)
    lines = [(stands(s, fair.weight(s)), [job(seq, 1, 9999)]) for seq, s in enumerate("ABC", 1)]
    unreserved = 128 * (1 - reserved_ratio(fair, 3))
    assert unreserved == 74
    counts, made = served(fair, *lines, vcpus=128, unreserved=unreserved)
    assert counts == {"A": 21, "B": 42, "C": 11}
    assert len(made.reserved) == 1


def test_the_share_with_the_lowest_weighted_usage_goes_first() -> None:
    """User Guide, Use share identifiers to identify workloads: T * weightFactor, the lowest first."""
    fair = policy(("A", 0.5))
    a, b = (stands("A", 0.5, used=300), [job(1)]), (stands("B", used=200), [job(2)])
    assert served(fair, a, b, vcpus=1)[0] == {"A": 1, "B": 0}
    c = (stands("C", used=100), [job(3)])
    assert served(fair, a, b, c, vcpus=1)[0] == {"A": 0, "B": 0, "C": 1}


# -------------------------------------------------------------------------------------------------------------- rules


def test_weights_by_name_by_prefix_and_by_default() -> None:
    fair = policy(("team", 2), ("user*", 0.25))
    assert [fair.weight(s) for s in ("team", "user1", "user", "team2")] == [2, 0.25, 0.25, 1]


@pytest.mark.parametrize("document", [{}, {"shareDecaySeconds": 0}, {"shareDistribution": []}])
def test_a_policy_that_says_nothing(document: dict[str, Any]) -> None:
    fair = fair_share_policy(document)
    assert (fair.window_seconds, fair.compute_reservation, fair.weight("x")) == (600, 0, 1.0)


def test_a_steady_share_has_used_half_the_window() -> None:
    fair = policy(decay=600)
    assert ran(4, Millis(0), NOW, fair, NOW) == pytest.approx(4 * 300)


def test_usage_fades_and_is_gone_after_the_window() -> None:
    fair = policy(decay=600)
    usage = Usage(100.0, NOW)
    assert faded(usage, fair, NOW) == 100
    assert faded(usage, fair, Millis(NOW + 300_000)) == pytest.approx(100 / math.e)
    assert faded(usage, fair, Millis(NOW + 600_000)) == 0
    assert faded(None, fair, NOW) == 0


def test_running_and_then_ended_is_the_same() -> None:
    fair = policy(decay=60)
    started, stopped, later = Millis(NOW - 50_000), Millis(NOW - 7000), Millis(NOW + 20_000)
    at_end = ran(3, started, stopped, fair, stopped)
    assert faded(Usage(at_end, stopped), fair, later) == pytest.approx(ran(3, started, stopped, fair, later))


def test_where_shares_stand() -> None:
    fair = policy(("a", 2), decay=600)
    held = [
        Held("a", 2, Millis(NOW - 10_000)),
        Held("a", 1, None),
        Held("b", 1, None, expected_seconds=0.5),
        Held("other", 9, Millis(0)),
    ]
    found = standings(fair, ["a", "b"], {"b": Usage(7.0, NOW)}, held, NOW)
    assert found["a"].used == pytest.approx(2 * 300 * (1 - math.exp(-10 / 300)))
    assert (found["a"].pledged, found["a"].vcpus) == (30, 3)
    assert found["a"].weighted == 2 * (found["a"].used + 30)
    assert (found["b"].used, found["b"].pledged, found["b"].vcpus) == (7, 0.5, 1)
    assert list(found) == ["a", "b"]


def test_active_are_those_with_jobs_and_those_that_ran_lately() -> None:
    usages = {"late": Usage(1.0, Millis(NOW - 1000)), "past": Usage(1.0, Millis(NOW - 600_000))}
    assert active_shares(policy(), ["live"], usages, NOW) == {"live", "late"}


def test_among_equals_first_in_is_first_out() -> None:
    turns = Turns([(stands("b"), [job(2), job(3)]), (stands("a"), [job(1), job(4)])])
    order = []
    while (head := turns.head()) is not None:
        order.append(head.seq)
        turns.take(1, 1.0)
    assert order == [1, 2, 3, 4]


def test_heads_are_read_only_when_it_is_their_turn() -> None:
    def unread() -> Any:
        raise AssertionError("nobody may look here yet")
        yield

    turns = Turns([(stands("a"), [job(1, available=5)]), (stands("b", used=9), unread())])
    assert turns.head() is not None
    assert turns.most(1.0) == 5


def test_nobody_is_taken_beyond_the_turn() -> None:
    turns = Turns([(stands("a"), [job(1, available=9)]), (stands("b", used=2.5), [job(2)])])
    assert turns.head() is not None
    assert turns.most(1.0) == 3
    assert turns.most(2.5) == 1, "then it is as good as the other's turn, and who came first decides"


def test_who_does_not_fit_keeps_the_room() -> None:
    a, b = (stands("A"), [job(1, 4)]), (stands("B", used=1), [job(2, 1)])
    counts, made = served(policy(), a, b, vcpus=4, free=3)
    assert counts == {"A": 0, "B": 0}
    assert list(made.held) == [1]


def test_a_misfit_is_passed_over_by_the_next_of_its_share() -> None:
    a, b = (stands("A"), [job(1, 9), job(3)]), (stands("B", used=1), [job(2)])
    counts, made = served(policy(), a, b, vcpus=1)
    assert counts == {"A": 1, "B": 0}
    assert list(made.misfits) == [1]


def test_the_reservation_stops_the_queue_and_holds_no_room() -> None:
    a = (stands("A"), [job(1, 2, 9)])
    counts, made = served(policy(), a, vcpus=8, unreserved=5, used=0)
    assert counts == {"A": 2}
    assert (made.reserved, made.held) == ({1}, {})


def test_one_job_runs_however_much_is_reserved() -> None:
    a = (stands("A"), [job(1, 2, 9)])
    assert served(policy(), a, unreserved=0.5)[0] == {"A": 1}
    assert served(policy(), a, unreserved=0.5, used=2, free=6)[0] == {"A": 0}
