"""Children in segments live exactly as single jobs would, one by one, through the lifecycle's own table."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from batchyard.core import arrays
from batchyard.core import events as e
from batchyard.core.arrays import Children, Shift
from batchyard.core.ids import JobSeq, Millis
from batchyard.core.intervals import Indexes
from batchyard.core.jobs import Job, JobKey, JobStatus
from batchyard.core.lifecycle import decide
from tests.core.rows import job

S = JobStatus
SIZE = 12

Change = tuple[Callable[[Children, Indexes, Millis], tuple[Children, list[Shift]]], Callable[[Millis], e.Event], set[S]]

CHANGES: dict[str, Change] = {
    "release": (arrays.release, e.DependenciesSucceeded, {S.PENDING}),
    "fail_dependents": (arrays.fail_dependents, e.DependencyFailed, {S.PENDING}),
    "cancel": (
        lambda children, indexes, at: arrays.cancel(children, indexes, at, f"cancelled at {at}"),
        lambda at: e.CancelRequested(at, f"cancelled at {at}"),
        {S.PENDING, S.RUNNABLE},
    ),
    "terminate": (
        lambda children, indexes, at: arrays.fail(children, indexes, at, f"ended at {at}", is_terminated=True),
        lambda at: e.TerminateRequested(at, f"ended at {at}"),
        {S.PENDING, S.RUNNABLE},
    ),
}

steps = st.lists(
    st.tuples(st.sampled_from([*CHANGES, "take"]), st.sets(st.integers(0, SIZE - 1), min_size=1)), max_size=8
)


@given(steps)
def test_a_segment_is_a_shorthand_for_its_children(plan: list[tuple[str, set[int]]]) -> None:
    parent = job(S.PENDING, key=JobKey(JobSeq(1)))
    children = arrays.spawn(SIZE)
    ones = {index: Job(JobKey(JobSeq(1), index), S.PENDING, parent.created_at) for index in range(SIZE)}
    for number, (name, indexes) in enumerate(plan):
        at = Millis(1000 + number)
        if name == "take":
            children, taken = arrays.take(children, len(indexes))
            assert taken == [i for i, one in ones.items() if one.status is S.RUNNABLE][: len(indexes)]
            for index in taken:
                del ones[index]
                children = arrays.recount(children, S.RUNNABLE, S.STARTING)
            continue
        change, event, statuses = CHANGES[name]
        before = dict(ones)
        for index in indexes & ones.keys():
            if ones[index].status in statuses:
                ones[index] = decide(ones[index], event(at)).job
        children, shifts = change(children, Indexes.of(indexes), at)
        told = {i: (s.source, s.target, s.reason) for s in shifts for i in s.indexes}
        assert told == {
            i: (before[i].status, one.status, one.status_reason)
            for i, one in ones.items()
            if one.status is not before[i].status
        }
        check(children, ones, parent)
    check(children, ones, parent)


def check(children: Children, ones: dict[int, Job], parent: Job) -> None:
    """The segments say of each child what its own row would."""
    for index in range(SIZE):
        segment = children.segment_of(index)
        assert (segment is None) == (index not in ones)
        if segment is not None:
            assert arrays.child_job(JobSeq(1), parent, segment, index) == ones[index]
    for before, after in pairwise(children.segments):
        assert before.last < after.first
        assert before.last + 1 < after.first or not before.is_like(after)
    counted = Counter(one.status for one in ones.values())
    counted[S.STARTING] += SIZE - len(ones)
    assert dict(children.counts) == {status: number for status, number in counted.items() if number}
