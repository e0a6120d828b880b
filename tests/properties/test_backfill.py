"""Time passes on paper: whoever passes a blocked job has gone before it could have started."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from batchyard.core.backfill import Ending
from batchyard.core.ids import JobSeq
from batchyard.core.placement import Candidate, Environment, QueueHeads, Room, Snapshot, plan
from tests.properties.test_placement import snapshots

MACHINE = Room(4, 400, 1)
GRACE = 3.0


@dataclass(frozen=True)
class Work:
    """A job that arrives, and when it ends if it is let run: at its timeout, or before by `early`."""

    arrives: int
    need: Room
    timeout: int | None
    early: int
    children: int

    @property
    def lasts(self) -> int:
        return 5000 if self.timeout is None else max(1, self.timeout - self.early)


works = st.lists(
    st.builds(
        Work,
        st.integers(0, 40),
        st.builds(Room, st.sampled_from([1, 1, 2, 3, 4]), st.sampled_from([50, 100, 300]), st.just(0)),
        st.one_of(st.integers(4, 120), st.integers(4, 120), st.integers(4, 120), st.none()),
        st.integers(0, 60),
        st.sampled_from([1, 1, 1, 3]),
    ),
    min_size=3,
    max_size=9,
).map(lambda found: sorted(found, key=lambda work: work.arrives))


@dataclass
class Story:
    """When each unit of each job started, and the latest start that a blocked job was ever promised."""

    starts: dict[int, list[int]]
    promises: dict[int, list[float]]


def lived(jobs: Sequence[Work], *, backfill: bool) -> Story:
    """Serve the jobs in one queue until all have ended."""
    story = Story({seq: [] for seq in range(len(jobs))}, {seq: [] for seq in range(len(jobs))})
    running: list[tuple[int, int, int]] = []  # when it ends, its job, when it started
    moments = sorted({work.arrives for work in jobs})
    while moments:
        now = heapq.heappop(moments)
        running = [run for run in running if run[0] > now]
        made = plan(_seen(jobs, story, running, now, backfill=backfill))
        for seq, within in made.room_within.items():
            story.promises[seq].append(now + within)
        for placed in made.placements:
            ends = now + jobs[placed.seq].lasts
            heapq.heappush(moments, ends)
            running += [(ends, placed.seq, now)] * placed.number
            story.starts[placed.seq] += [now] * placed.number
        assert _free(jobs, running).fits(Room(0, 0))
        left = _free(jobs, running)
        assert min(left.vcpus, left.memory_mib, left.gpus) >= 0, "oversold"
    return story


def _free(jobs: Sequence[Work], running: Sequence[tuple[int, int, int]]) -> Room:
    free = MACHINE
    for _, seq, _ in running:
        free = free.less(jobs[seq].need)
    return free


def _seen(
    jobs: Sequence[Work], story: Story, running: Sequence[tuple[int, int, int]], now: int, *, backfill: bool
) -> Snapshot:
    free = _free(jobs, running)
    waiting = [
        Candidate(JobSeq(seq), work.need, work.children - len(story.starts[seq]))
        for seq, work in enumerate(jobs)
        if work.arrives <= now and len(story.starts[seq]) < work.children
    ]
    endings = []
    for _, seq, started in running:
        timeout = jobs[seq].timeout
        endings.append(Ending(jobs[seq].need, "a", None if timeout is None else max(0, started + timeout - now)))
    return Snapshot(
        MACHINE,
        free,
        {"a": Environment("a", MACHINE.vcpus, MACHINE.vcpus - free.vcpus, accepts=True)},
        [QueueHeads(1, ("a",), waiting, backfill=backfill)],
        endings=endings,
        timeouts={JobSeq(seq): work.timeout for seq, work in enumerate(jobs)},
        grace_seconds=GRACE,
    )


@given(works)
def test_nobody_starts_later_where_all_use_up_their_timeouts(jobs: list[Work]) -> None:
    # One without a timeout would have to run for ever: its end is a surprise, and what passed may be in the way then.
    exact = [replace(work, early=0, timeout=work.timeout or 120) for work in jobs]
    with_, without = lived(exact, backfill=True), lived(exact, backfill=False)
    for seq, starts in without.starts.items():
        pairs = zip(with_.starts[seq], starts, strict=True)
        assert all(sooner <= later for sooner, later in pairs), (seq, with_.starts, without.starts)


@given(works)
def test_no_promise_to_a_blocked_job_is_broken(jobs: list[Work]) -> None:
    story = lived(jobs, backfill=True)
    for seq, promises in story.promises.items():
        if promises and jobs[seq].children == 1:
            assert story.starts[seq][0] <= promises[0]
            assert promises == sorted(promises, reverse=True)


@given(snapshots(), st.data())
def test_nothing_is_oversold_and_what_passes_ends_in_time(snapshot: Snapshot, data: st.DataObject) -> None:
    jobs = {c.seq: c for queue in snapshot.queues for c in queue.candidates}
    limits = st.one_of(st.none(), st.integers(0, 50))
    timeouts = {seq: data.draw(limits) for seq in jobs}
    rooms = st.builds(Room, st.sampled_from([0.5, 1, 2]), st.integers(1, 500), st.integers(0, 1))
    endings = data.draw(st.lists(st.builds(Ending, rooms, st.sampled_from(sorted(snapshot.environments)), limits)))
    filled = replace(
        snapshot,
        queues=[replace(queue, backfill=data.draw(st.booleans())) for queue in snapshot.queues],
        endings=endings,
        timeouts=timeouts,
        grace_seconds=GRACE,
    )
    made = plan(filled)
    assert plan(filled) == made
    free = snapshot.free
    used = {name: environment.used for name, environment in snapshot.environments.items()}
    for placed in made.placements:
        free = free.less(jobs[placed.seq].need, placed.number)
        used[placed.compute_environment] += jobs[placed.seq].need.vcpus * placed.number
        assert used[placed.compute_environment] <= snapshot.environments[placed.compute_environment].limit
    assert min(free.vcpus, free.memory_mib, free.gpus) >= 0
    for queue in filled.queues:
        own = {c.seq for c in queue.candidates}
        if passed := own & made.backfilled:
            [head] = own & made.room_within.keys()
            assert queue.backfill
            assert head in made.held
            assert all((timeouts[seq] or 0) + GRACE <= made.room_within[head] for seq in passed)
