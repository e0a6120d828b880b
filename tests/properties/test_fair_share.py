"""In the long run every share gets what its weight says, within 5 %; nobody starves; what is reserved stays free."""

from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from batchyard.core.fair_share import FairSharePolicy, Standing, reserved_ratio
from batchyard.core.ids import JobSeq
from batchyard.core.placement import Candidate, Environment, FairHeads, QueueHeads, Room, Snapshot, plan
from tests.properties.fair_share_yard import PaperYard, Work

VCPUS = 16
SHARES = ("a", "b", "c", "d")

weights = st.sampled_from([0.25, 0.5, 1.0, 2.0])
works = st.builds(Work, st.sampled_from([0.5, 1, 2, 3]), st.floats(8, 60), st.booleans())
quick = settings(max_examples=5, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))


def policy(weights: list[float], window_seconds: int = 600, reservation: int = 0) -> FairSharePolicy:
    return FairSharePolicy(window_seconds, reservation, dict(zip(SHARES, weights, strict=False)), ())


def yard(fair: FairSharePolicy, *works: Work, seed: int = 0) -> PaperYard:
    return PaperYard(fair, VCPUS, dict(zip(SHARES, works, strict=False)), seed)


def check_shares(simulated: PaperYard, weights: list[float], seconds: float) -> None:
    """Run, and compare what each share has used with what its weight entitles it to."""
    simulated.begin_count()
    simulated.run(seconds)
    found, total = simulated.fractions(), sum(1 / weight for weight in weights)
    entitled = {share: 1 / weight / total for share, weight in zip(SHARES, weights, strict=False)}
    assert all(abs(found[share] - entitled[share]) <= 0.05 for share in entitled), (found, entitled)


# ------------------------------------------------------------------------------------------------------- the long run


@quick
@given(st.lists(st.tuples(weights, works), min_size=2, max_size=4), st.integers(0, 99))
def test_long_run_shares_are_those_of_the_weights(made: list[tuple[float, Work]], seed: int) -> None:
    its_weights = [weight for weight, _ in made]
    simulated = yard(policy(its_weights), *(work for _, work in made), seed=seed)
    simulated.run(300)
    check_shares(simulated, its_weights, 2000)


def test_very_short_jobs_and_long_ones() -> None:
    """Those of which it is known that they are short are not taken to have run already."""
    simulated = yard(policy([1, 1], window_seconds=20), Work(1, 0.02, is_known=True), Work(2, 2))
    simulated.run(20)
    check_shares(simulated, [1, 1], 20)


def test_a_policy_that_changes_while_jobs_wait() -> None:
    simulated = yard(policy([1, 1]), Work(1, 10), Work(1, 10))
    simulated.run(600)
    check_shares(simulated, [1, 1], 600)
    simulated.policy = policy([1, 3])
    simulated.run(300)
    check_shares(simulated, [1, 3], 1800)


def test_a_share_that_comes_late_catches_up_and_no_more() -> None:
    simulated = yard(policy([1, 1]), Work(1, 10))
    simulated.run(1200)
    simulated.work["b"], simulated.used["b"] = Work(1, 10), 0.0
    simulated.begin_count()
    simulated.run(200)
    assert simulated.fractions()["b"] > 0.6
    simulated.run(1200)
    check_shares(simulated, [1, 1], 1200)


def test_a_large_job_among_small_ones_is_not_starved() -> None:
    simulated = yard(policy([1, 1]), Work(1, 10), Work(VCPUS, 10))
    simulated.run(600)
    check_shares(simulated, [1, 1], 3000)


# -------------------------------------------------------------------------------------------------------- reservation


@pytest.mark.parametrize("reservation", [25, 50, 75])
def test_what_is_reserved_stays_free_for_who_comes(reservation: int) -> None:
    fair = policy([1, 1, 1], reservation=reservation)
    simulated = yard(fair, Work(1, 10))
    simulated.run(200)
    assert simulated.most_in_use == int(VCPUS * (1 - reserved_ratio(fair, 1)))
    simulated.work["b"], simulated.used["b"] = Work(1, 10), 0.0
    simulated.run(0)
    assert simulated.runs_of("b") > 0, "the share that comes finds room at once"
    simulated.run(200)
    assert simulated.most_in_use == int(VCPUS * (1 - reserved_ratio(fair, 2)))


# ---------------------------------------------------------------------------------------------------------- one plan

candidates = st.builds(
    Candidate,
    st.just(JobSeq(0)),
    st.builds(Room, st.sampled_from([0.25, 1, 2, 7]), st.integers(1, 900)),
    st.integers(1, 20),
    charge=st.sampled_from([0.1, 1, 10]),
)
lines = st.lists(
    st.tuples(
        st.builds(Standing, st.just("s"), weights, st.floats(0, 100)), st.lists(candidates, min_size=1, max_size=4)
    ),
    max_size=4,
)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """One machine, one environment, partly busy; one fair-share queue with jobs numbered through."""
    machine = Room(draw(st.integers(1, 8)), draw(st.integers(100, 4000)))
    free = Room(draw(st.integers(0, int(machine.vcpus))), draw(st.integers(0, machine.memory_mib)))
    seq, numbered = 0, []
    for standing, heads in draw(lines):
        jobs = []
        for head in heads:
            seq += 1
            jobs.append(replace(head, seq=JobSeq(seq)))
        numbered.append((standing, jobs))
    used = machine.vcpus - free.vcpus
    fair = FairHeads(numbered, draw(st.sampled_from([float("inf"), machine.vcpus / 2])), used)
    environment = Environment("a", machine.vcpus, used, accepts=True)
    return Snapshot(machine, free, {"a": environment}, [QueueHeads(1, ("a",), [], fair)])


@given(snapshots())
def test_a_plan_is_pure_and_oversells_nothing(snapshot: Snapshot) -> None:
    made = plan(snapshot)
    assert plan(snapshot) == made
    fair = snapshot.queues[0].fair
    assert fair is not None
    jobs = {job.seq: job for _, heads in fair.lines for job in heads}
    free, given_ = snapshot.free, dict.fromkeys(jobs, 0)
    for placed in made.placements:
        assert placed.number > 0
        free = free.less(jobs[placed.seq].need, placed.number)
        given_[placed.seq] += placed.number
    assert min(free.vcpus, free.memory_mib) >= 0
    assert all(given_[seq] <= job.available for seq, job in jobs.items())
    placed_vcpus = sum(jobs[p.seq].need.vcpus * p.number for p in made.placements)
    kept = fair.used + placed_vcpus <= fair.unreserved + 1e-9
    assert kept or not placed_vcpus or (not fair.used and sum(p.number for p in made.placements) == 1)


@given(snapshots())
def test_nobody_overtakes_within_a_share(snapshot: Snapshot) -> None:
    made = plan(snapshot)
    fair = snapshot.queues[0].fair
    assert fair is not None
    given_: dict[int, int] = {}
    for placed in made.placements:
        given_[placed.seq] = given_.get(placed.seq, 0) + placed.number
    for _, heads in fair.lines:
        waiting = [job for job in heads if job.seq not in made.misfits]
        unserved = [job.seq for job in waiting if given_.get(job.seq, 0) < job.available]
        assert all(job.seq <= unserved[0] for job in waiting if unserved and given_.get(job.seq))
