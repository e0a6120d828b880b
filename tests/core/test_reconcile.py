"""What the world owes us, attempt by attempt."""

from batchyard.core.ids import AttemptId
from batchyard.core.jobs import Attempt, StopCause
from batchyard.core.reconcile import compare
from tests.core.rows import attempt


def named(name: str, stop_wanted: StopCause | None = None) -> Attempt:
    return attempt(attempt_id=AttemptId(name), stop_wanted=stop_wanted)


def test_what_is_expected_and_not_held_is_launched() -> None:
    found = compare([named("a"), named("b")], {AttemptId("b")}, set())
    assert [a.attempt_id for a in found.launches] == ["a"]
    assert not found.stops
    assert not found.strangers


def test_what_is_to_be_stopped_is_stopped_once() -> None:
    stopping = named("a", StopCause.TIMED_OUT)
    assert compare([stopping], {AttemptId("a")}, set()).stops == (stopping,)
    assert not compare([stopping], {AttemptId("a")}, {AttemptId("a")}).stops


def test_what_is_to_be_stopped_and_was_never_launched_is_launched_and_stopped() -> None:
    stopping = named("a", StopCause.TERMINATED)
    found = compare([stopping], set(), set())
    assert (found.launches, found.stops) == ((stopping,), (stopping,))


def test_what_nobody_expects_is_a_stranger() -> None:
    assert compare([named("a")], {AttemptId("a"), AttemptId("z"), AttemptId("y")}, set()).strangers == ("y", "z")


def test_a_settled_world_owes_nothing_and_orders_settle_it() -> None:
    expected = [named("a"), named("b", StopCause.TERMINATED)]
    found = compare(expected, {AttemptId("x")}, set())
    held = {AttemptId("x")} - set(found.strangers) | {a.attempt_id for a in found.launches}
    again = compare(expected, held, {a.attempt_id for a in found.stops})
    assert not (again.launches)
    assert not (again.stops)
    assert not (again.strangers)
