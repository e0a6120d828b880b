"""Children as segments: what each operation does to them, to the counts, and what it tells of."""

from dataclasses import replace

from batchyard.core import arrays
from batchyard.core.arrays import Children
from batchyard.core.intervals import Indexes
from batchyard.core.jobs import JobStatus
from tests.core.rows import NOW, job

S = JobStatus


def spans(children: Children) -> list[tuple[int, int, str]]:
    return [(segment.first, segment.last, segment.status.value) for segment in children.segments]


def released(size: int) -> Children:
    return arrays.release(arrays.spawn(size), Indexes.span(0, size - 1), NOW)[0]


def test_a_new_array_is_one_pending_segment() -> None:
    children = arrays.spawn(10_000)
    assert spans(children) == [(0, 9_999, "PENDING")]
    assert children.count(S.PENDING) == 10_000
    assert not children.are_finished


def test_releasing_all_is_one_change() -> None:
    children, shifts = arrays.release(arrays.spawn(10_000), Indexes.span(0, 9_999), NOW)
    assert spans(children) == [(0, 9_999, "RUNNABLE")]
    assert [(shift.indexes.spans, shift.source, shift.target) for shift in shifts] == [
        (((0, 9_999),), S.PENDING, S.RUNNABLE)
    ]


def test_what_is_released_piece_by_piece_grows_together_again() -> None:
    children = arrays.spawn(6)
    for indexes in (Indexes.of([1]), Indexes.of([3, 4]), Indexes.of([0, 2])):
        children, _ = arrays.release(children, indexes, NOW)
    assert spans(children) == [(0, 4, "RUNNABLE"), (5, 5, "PENDING")]
    assert dict(children.counts) == {S.RUNNABLE: 5, S.PENDING: 1}


def test_releasing_twice_changes_nothing() -> None:
    children = released(4)
    assert arrays.release(children, Indexes.span(0, 3), NOW) == (children, [])


def test_taking_leaves_the_counts_and_shortens_the_segments() -> None:
    children, taken = arrays.take(released(5), 3)
    assert taken == [0, 1, 2]
    assert spans(children) == [(3, 4, "RUNNABLE")]
    assert children.count(S.RUNNABLE) == 5
    assert [children.segment_of(index) is None for index in range(5)] == [True, True, True, False, False]
    assert arrays.take(children, 9)[1] == [3, 4]


def test_failing_some_splits_a_segment_and_says_so() -> None:
    children, shifts = arrays.fail(released(10), Indexes.span(4, 5), NOW, "stop it", is_terminated=True)
    assert spans(children) == [(0, 3, "RUNNABLE"), (4, 5, "FAILED"), (6, 9, "RUNNABLE")]
    assert [(shift.indexes.spans, shift.reason) for shift in shifts] == [(((4, 5),), "stop it")]
    segment = children.segment_of(4)
    assert segment is not None
    child = arrays.child_job(job().key.seq, job(S.PENDING), segment, 4)
    assert (child.status, child.status_reason, child.stopped_at) == (S.FAILED, "stop it", NOW)
    assert child.is_terminated


def test_what_has_failed_stays_as_it_is() -> None:
    children, _ = arrays.fail(released(3), Indexes.span(0, 2), NOW, "first")
    assert arrays.fail(children, Indexes.span(0, 2), NOW, "second") == (children, [])
    assert arrays.cancel(children, Indexes.span(0, 2), NOW, "second") == (children, [])


def test_cancelling_fails_what_is_runnable_and_marks_what_is_pending() -> None:
    half, _ = arrays.release(arrays.spawn(4), Indexes.span(0, 1), NOW)
    children, shifts = arrays.cancel(half, Indexes.span(0, 3), NOW, "enough")
    assert spans(children) == [(0, 1, "FAILED"), (2, 3, "PENDING")]
    assert [shift.indexes.spans for shift in shifts] == [((0, 1),)]
    children, _ = arrays.cancel(children, Indexes.span(0, 3), NOW, "again")
    children, shifts = arrays.release(children, Indexes.of([2]), NOW)
    children, more = arrays.fail_dependents(children, Indexes.of([3]), NOW)
    assert [(shift.target, shift.reason) for shift in shifts + more] == [(S.FAILED, "enough"), (S.FAILED, "enough")]
    assert children.are_finished


def test_the_dependents_of_a_failure_fail_for_it() -> None:
    children, shifts = arrays.fail_dependents(arrays.spawn(4), Indexes.span(2, 3), NOW)
    assert spans(children) == [(0, 1, "PENDING"), (2, 3, "FAILED")]
    assert shifts[0].reason == "Dependent Job failed"


def test_a_waiting_child_shares_the_reason_for_which_its_array_waits() -> None:
    children = released(2)
    parent = job(S.PENDING, status_reason="MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")
    assert arrays.child_job(parent.key.seq, parent, children.segments[0], 1).status_reason == parent.status_reason


def test_children_with_rows_are_counted_too() -> None:
    children, _ = arrays.take(released(2), 1)
    children = arrays.recount(children, S.RUNNABLE, S.STARTING)
    assert dict(children.counts) == {S.RUNNABLE: 1, S.STARTING: 1}
    assert arrays.recount(children, S.STARTING, S.STARTING) == children


def test_no_more_may_be_placed_than_may_run_at_once() -> None:
    children, _ = arrays.release(arrays.spawn(10, max_parallel=3), Indexes.span(0, 9), NOW)
    assert (children.count(S.RUNNABLE), children.available) == (10, 3)
    children = arrays.recount(arrays.take(children, 2)[0], S.RUNNABLE, S.STARTING, 2)
    assert children.available == 1
    children = arrays.recount(arrays.recount(children, S.STARTING, S.RUNNING), S.RUNNING, S.RUNNABLE)
    assert children.available == 2
    assert replace(children, max_parallel=1).available == 0
    assert replace(children, max_parallel=None).available == 9
