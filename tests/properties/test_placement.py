"""No plan sells what there is not, serves out of order, or remembers anything."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from batchyard.core.ids import JobSeq
from batchyard.core.placement import Candidate, Environment, QueueHeads, Room, Snapshot, never_fits, plan

NAMES = ("a", "b", "c")

needs = st.builds(Room, st.sampled_from([0.25, 0.5, 1, 2, 3, 7]), st.integers(1, 900), st.integers(0, 1))
candidates = st.lists(st.builds(Candidate, st.just(JobSeq(0)), needs, st.integers(1, 20)), max_size=6)
environments = st.lists(
    st.tuples(st.integers(1, 8), st.integers(0, 8), st.booleans()), min_size=len(NAMES), max_size=len(NAMES)
).map(lambda made: {n: Environment(n, limit, used, ok) for n, (limit, used, ok) in zip(NAMES, made, strict=True)})
orders = st.permutations(NAMES).flatmap(lambda names: st.integers(1, 3).map(lambda n: tuple(names[:n])))
queues = st.lists(st.builds(QueueHeads, st.integers(0, 3), orders, candidates), max_size=4)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """A machine, partly busy, with jobs numbered in order of submission within their queues."""
    machine = Room(draw(st.integers(1, 8)), draw(st.integers(100, 4000)), draw(st.integers(0, 2)))
    free = Room(draw(st.integers(0, int(machine.vcpus))), draw(st.integers(0, machine.memory_mib)), machine.gpus)
    numbered = []
    seq = 0
    for queue in draw(queues):
        jobs = []
        for candidate in queue.candidates:
            seq += 1
            jobs.append(replace(candidate, seq=JobSeq(seq)))
        numbered.append(replace(queue, candidates=jobs))
    return Snapshot(machine, free, draw(environments), numbered)


@given(snapshots())
def test_nothing_is_oversold(snapshot: Snapshot) -> None:
    jobs = {c.seq: c for queue in snapshot.queues for c in queue.candidates}
    free = snapshot.free
    used = {name: environment.used for name, environment in snapshot.environments.items()}
    given_: dict[int, int] = {}
    for placed in plan(snapshot).placements:
        need = jobs[placed.seq].need
        assert placed.number > 0
        free = free.less(need, placed.number)
        used[placed.compute_environment] += need.vcpus * placed.number
        given_[placed.seq] = given_.get(placed.seq, 0) + placed.number
        assert snapshot.environments[placed.compute_environment].accepts
        assert used[placed.compute_environment] <= snapshot.environments[placed.compute_environment].limit
    assert min(free.vcpus, free.memory_mib, free.gpus) >= 0
    assert all(number <= jobs[JobSeq(seq)].available for seq, number in given_.items())


@given(snapshots())
def test_a_plan_is_pure_and_places_only_where_the_queue_says(snapshot: Snapshot) -> None:
    made = plan(snapshot)
    assert plan(snapshot) == made
    allowed = {c.seq: queue.environments for queue in snapshot.queues for c in queue.candidates}
    assert all(placed.compute_environment in allowed[placed.seq] for placed in made.placements)


@given(snapshots())
def test_a_misfit_is_one_and_is_never_placed(snapshot: Snapshot) -> None:
    made = plan(snapshot)
    placed = {placement.seq for placement in made.placements}
    for queue in snapshot.queues:
        of_queue = [snapshot.environments[name] for name in queue.environments]
        for candidate in queue.candidates:
            reason = never_fits(candidate, snapshot.machine, of_queue)
            assert made.misfits.get(candidate.seq) in (reason, None)
            assert reason is None or candidate.seq not in placed


@given(snapshots())
def test_nobody_overtakes_in_a_queue_where_all_environments_are_open(snapshot: Snapshot) -> None:
    opened = {name: replace(e, accepts=True) for name, e in snapshot.environments.items()}
    snapshot = replace(snapshot, environments=opened)
    made = plan(snapshot)
    placed = {p.seq: 0 for p in made.placements}
    for p in made.placements:
        placed[p.seq] += p.number
    for queue in snapshot.queues:
        waiting = [c for c in queue.candidates if c.seq not in made.misfits]
        unserved = [c.seq for c in waiting if placed.get(c.seq, 0) < c.available]
        if unserved:
            assert all(seq <= unserved[0] for seq in placed if seq in {c.seq for c in waiting})


@given(snapshots(), st.integers(1, 10))
def test_no_more_wait_ahead_than_may(snapshot: Snapshot, ahead: int) -> None:
    jobs = [Candidate(JobSeq(1), Room(1, 10), 1000, ahead)]
    environment = Environment("a", snapshot.machine.vcpus, snapshot.machine.vcpus - snapshot.free.vcpus, accepts=True)
    alone = Snapshot(snapshot.machine, snapshot.free, {"a": environment}, [QueueHeads(1, ("a",), jobs)])
    number = sum(placed.number for placed in plan(alone).placements)
    assert number <= min(snapshot.free.fits(Room(1, 10)), environment.limit) + ahead
    busier = replace(alone, free=alone.free.less(Room(1, 10), number))
    filled = replace(environment, used=environment.used + number)
    assert plan(replace(busier, environments={"a": filled})).placements == []


@given(st.lists(st.integers(1, 3), min_size=2, max_size=4), st.integers(1, 3))
def test_no_queue_of_equal_priority_waits_for_ever(sizes: list[int], vcpus: int) -> None:
    """Each queue has jobs of its own size and never runs out of them; whoever ends is followed by one in its place."""
    machine = Room(vcpus, 1000)
    environment = Environment("a", vcpus, 0, accepts=True)
    waiting = {q: [JobSeq(q + 10 * n) for n in range(30)] for q in range(len(sizes))}
    running: list[tuple[int, JobSeq, float]] = []
    served: list[int] = []
    while len(served) < 20 * len(sizes):
        needs = {q: Room(min(vcpus, wanted), 1) for q, wanted in enumerate(sizes)}
        held = {q: sum(taken for queue, _, taken in running if queue == q) for q in waiting}
        used = sum(held.values())
        heads = [
            QueueHeads(
                1, ("a",), [Candidate(waiting[q][0], needs[q])], queue_id=q, held_vcpus=held[q], oldest=waiting[q][0]
            )
            for q in waiting
        ]
        made = plan(Snapshot(machine, machine.less(Room(used, 0)), {"a": replace(environment, used=used)}, heads))
        for placed in made.placements:
            queue = placed.seq % 10
            waiting[queue].pop(0)
            waiting[queue].append(JobSeq(waiting[queue][-1] + 10))
            running.append((queue, placed.seq, needs[queue].vcpus))
            served.append(queue)
        if not made.placements:
            running.pop(0)
    assert set(served[: 10 * len(sizes)]) == set(waiting)
