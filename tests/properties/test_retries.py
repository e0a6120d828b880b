"""However its attempts end, a job never has more of them than its retry strategy allows, and always ends."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batchyard.core import events as e
from batchyard.core.ids import Millis
from batchyard.core.jobs import JobStatus
from batchyard.core.lifecycle import decide
from tests.core.rows import attempt, job, terms

texts = st.sampled_from(["*", "1", "13*", "Host EC2*", "Task failed*", "137"])
entries = st.lists(
    st.fixed_dictionaries(
        {"action": st.sampled_from(["RETRY", "EXIT", "retry"])},
        optional={"onExitCode": texts, "onReason": texts, "onStatusReason": texts},
    ),
    max_size=5,
)
ends = st.one_of(
    st.builds(e.AttemptExited, st.just(Millis(9)), st.sampled_from([0, 1, 137, None]), failed_to_start=st.booleans()),
    st.builds(e.AttemptLost, st.just(Millis(9))),
)


@given(st.one_of(st.none(), st.integers(1, 10)), entries, st.lists(ends, min_size=12, max_size=12))
def test_attempts_are_bounded(attempts: int | None, rules: Any, endings: list[Any]) -> None:
    submitted = terms(attempts, rules)
    one = job()
    for number, ended in enumerate(endings, 1):
        one = decide(one, e.JobPlaced(Millis(5), "a" * 32, "default", "i-1")).job  # type: ignore[arg-type]
        assert one.attempt == number
        one = decide(one, ended, submitted, attempt(attempt=number)).job
        if one.status.is_terminal:
            break
        assert one.status is JobStatus.RUNNABLE
    assert one.status.is_terminal
    assert one.attempt <= (attempts or 1)
