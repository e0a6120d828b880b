"""Positions in the history, and what a job was when it changed."""

import pytest

from batchyard.core import arrays
from batchyard.core.ids import Millis
from batchyard.core.job_events import Position, Transition, attempts_then, children_then, job_then
from batchyard.core.jobs import JobStatus
from tests.core.rows import attempt, job

S = JobStatus
FIRST = attempt(started_at=Millis(550), stopped_at=Millis(600), exit_code=1, status_reason="it failed")
SECOND = attempt(attempt=2, started_at=Millis(650), stopped_at=Millis(700), exit_code=0, reason="r", status_reason="s")
BOTH = [FIRST, SECOND]


@pytest.mark.parametrize(
    ("text", "position"), [("0", Position(0)), ("17", Position(17)), ("17.0", Position(17, 0)), ("5.42", (5, 42))]
)
def test_a_position_is_read_as_it_is_written(text: str, position: Position) -> None:
    assert Position.parse(text) == position
    assert str(Position(*position)) == text


@pytest.mark.parametrize(
    "text", ["", "-1", "1.", ".1", "1.2.3", "x", " 1", "1\n", "\u0661", "1e3", "9" * 19, "1." + "9" * 10]
)
def test_nothing_else_is_a_position(text: str) -> None:
    assert Position.parse(text) is None


def test_a_row_is_passed_when_nothing_of_it_is_left() -> None:
    assert Position(7).last_passed == 7
    assert Position(7, 3).last_passed == 6


@pytest.mark.parametrize(
    ("status", "number", "expected"),
    [
        (S.RUNNABLE, 0, []),
        (S.STARTING, 1, [attempt()]),
        (S.RUNNING, 1, [attempt(started_at=Millis(550))]),
        (S.RUNNABLE, 1, [FIRST]),
        (S.STARTING, 2, [FIRST, attempt(attempt=2)]),
        (S.RUNNING, 2, [FIRST, attempt(attempt=2, started_at=Millis(650))]),
        (S.SUCCEEDED, 2, BOTH),
        (S.FAILED, None, []),
    ],
)
def test_attempts_are_taken_back_to_the_moment(status: JobStatus, number: int | None, expected: list[object]) -> None:
    assert attempts_then(BOTH, Transition(Millis(1), status, number)) == expected


def test_a_placement_that_was_taken_back_leaves_no_attempt() -> None:
    assert attempts_then([FIRST], Transition(Millis(1), S.STARTING, 2)) == [FIRST]


def test_a_job_is_taken_back_to_the_moment() -> None:
    now = job(S.FAILED, attempt=2, started_at=650, is_terminated=True)
    retried = job_then(now, Transition(Millis(610), S.RUNNABLE, 1), [FIRST])
    assert (retried.status, retried.status_reason, retried.started_at, retried.stopped_at) == (
        S.RUNNABLE,
        None,
        550,
        None,
    )
    assert not retried.is_terminated
    assert job_then(now, Transition(Millis(700), S.FAILED, 2, "over"), BOTH) == now


def test_the_children_of_an_array_begin_pending_and_end_as_they_are() -> None:
    now = arrays.recount(arrays.spawn(3), S.PENDING, S.FAILED, 3)
    assert children_then(now, Transition(Millis(1), S.PENDING)) == arrays.spawn(3)
    assert children_then(now, Transition(Millis(1), S.FAILED)) == now
