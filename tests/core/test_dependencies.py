"""Edges: what they learn from what ends, and what several of them say together."""

from dataclasses import replace

import pytest

from batchyard.core import reasons
from batchyard.core.dependencies import AFTER_ANY, AFTER_FAILURE, N_TO_N, SEQUENTIAL, Edge, Finished, assess, observe
from batchyard.core.ids import JobSeq
from batchyard.core.intervals import NOTHING, Indexes
from batchyard.core.jobs import JobStatus

S = JobStatus
ME, OTHER = JobSeq(2), JobSeq(1)


def plain(outcome: JobStatus | None = None, index: int | None = None) -> Edge:
    return Edge(ME, 0, None, OTHER, index, outcome)


def n_to_n(succeeded: Indexes = NOTHING, failed: Indexes = NOTHING) -> Edge:
    return Edge(ME, 0, N_TO_N, OTHER, succeeded=succeeded, failed=failed)


def sequential() -> Edge:
    return Edge(JobSeq(0), 0, SEQUENTIAL, JobSeq(0), succeeded=Indexes.span(0, 0)).owned_by(ME)


def test_a_job_without_edges_may_go() -> None:
    found = assess([])
    assert (list(found.ready), found.is_open, found.has_failed) == ([0], False, False)


@pytest.mark.parametrize(
    ("outcomes", "ready", "is_open", "has_failed"),
    [
        ([S.SUCCEEDED], [0], False, False),
        ([None], [], True, False),
        ([S.SUCCEEDED, None], [], True, False),
        ([S.FAILED], [], False, True),
        ([None, S.FAILED], [], True, True),
    ],
)
def test_all_plain_edges_must_have_succeeded(
    outcomes: list[JobStatus | None], ready: list[int], is_open: bool, has_failed: bool
) -> None:
    found = assess([plain(outcome) for outcome in outcomes])
    assert (list(found.ready), found.is_open, found.has_failed) == (ready, is_open, has_failed)


def test_an_edge_to_a_job_waits_for_the_whole_of_it() -> None:
    some = Finished(succeeded=Indexes.span(0, 3))
    assert observe(plain(), some, 1).outcome is None
    assert observe(plain(), some._replace(outcome=S.SUCCEEDED), 1).outcome is S.SUCCEEDED


def test_an_edge_to_a_child_waits_for_that_child_alone() -> None:
    edge = plain(index=3)
    assert observe(edge, Finished(succeeded=Indexes.of([2])), 1) == edge
    assert observe(edge, Finished(succeeded=Indexes.of([3])), 1).outcome is S.SUCCEEDED
    assert observe(edge, Finished(failed=Indexes.of([3]), outcome=S.FAILED), 1).outcome is S.FAILED


def test_n_to_n_lets_child_after_child_go() -> None:
    edge = observe(n_to_n(), Finished(succeeded=Indexes.of([1]), failed=Indexes.of([2])), 4)
    found = assess([edge], 4)
    assert (list(found.ready), list(found.doomed)) == ([1], [2])
    edge = observe(edge, Finished(succeeded=Indexes.of([0, 3]), outcome=S.FAILED), 4)
    assert (list(assess([edge], 4).ready), edge.outcome) == ([0, 1, 3], S.FAILED)


def test_sequential_lets_the_next_child_go_and_dooms_all_after_a_failure() -> None:
    edge = sequential()
    assert (edge.job_seq, edge.on_job_seq) == (ME, ME)
    assert list(assess([edge], 4).ready) == [0]
    edge = observe(edge, Finished(succeeded=Indexes.of([0])), 4)
    assert list(assess([edge], 4).ready) == [0, 1]
    edge = observe(edge, Finished(failed=Indexes.of([1])), 4)
    assert (list(assess([edge], 4).ready), list(assess([edge], 4).doomed)) == ([0, 1], [2, 3])


def test_edges_of_different_kinds_must_all_hold() -> None:
    per_child = [n_to_n(Indexes.span(0, 2), Indexes.of([3])), sequential()]
    assert list(assess([*per_child, plain()], 4).ready) == []
    assert list(assess([*per_child, plain()], 4).doomed) == [3]
    assert list(assess([*per_child, plain(S.SUCCEEDED)], 4).ready) == [0]
    assert list(assess([*per_child, plain(S.FAILED)], 4).doomed) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "outcomes", "ready", "is_open", "has_failed"),
    [
        (AFTER_ANY, [S.FAILED, S.SUCCEEDED], [0], False, False),
        (AFTER_ANY, [S.FAILED, None], [], True, False),
        (AFTER_FAILURE, [S.FAILED, S.SUCCEEDED], [0], False, False),
        (AFTER_FAILURE, [S.FAILED, None], [], True, False),
        (AFTER_FAILURE, [S.SUCCEEDED, None], [], True, False),
        (AFTER_FAILURE, [S.SUCCEEDED, S.SUCCEEDED], [], False, True),
    ],
)
def test_plain_edges_of_other_types_wait_for_the_end(
    kind: str, outcomes: list[JobStatus | None], ready: list[int], is_open: bool, has_failed: bool
) -> None:
    found = assess([replace(plain(outcome), type=kind) for outcome in outcomes])
    assert (list(found.ready), found.is_open, found.has_failed) == (ready, is_open, has_failed)
    assert list(found.doomed) == ([0] if has_failed else [])
    if has_failed:
        assert found.reason == reasons.NO_DEPENDENT_JOB_FAILED


def test_an_edge_that_waits_for_any_end_is_still_no_edge_of_children() -> None:
    edge = observe(replace(plain(), type=AFTER_ANY), Finished(outcome=S.FAILED), 5)
    assert edge.outcome is S.FAILED
    assert len(assess([edge], 5).ready) == 5


def test_a_failed_child_dooms_its_partner_whatever_the_plain_edges_wait_for() -> None:
    edges = [replace(plain(S.FAILED), type=AFTER_ANY), n_to_n(Indexes.of([1]), Indexes.of([0]))]
    found = assess(edges, 2)
    assert (list(found.ready), list(found.doomed), found.reason) == ([1], [0], reasons.DEPENDENT_JOB_FAILED)
