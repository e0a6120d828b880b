"""evaluateOnExit (F 5.2): order, conditions, globs, and what no entry matches."""

from typing import Any

import pytest

from batchyard.core.retries import is_retried, matches

HOST = "Host EC2 (instance i-0123) terminated."
EXITED = "Essential container in task exited"


@pytest.mark.parametrize(
    ("pattern", "value", "does"),
    [
        ("*", None, True),
        ("*", "", True),
        ("*", "anything", True),
        ("1", "1", True),
        ("1", "12", False),
        ("1*", "12", True),
        ("1*", "21", False),
        ("Host EC2*", HOST, True),
        ("host ec2*", HOST, False),
        ("a.c", "abc", False),
        ("1", None, False),
        ("1*", None, False),
    ],
)
def test_patterns_are_literal_text_with_one_star_at_the_end(pattern: str, value: str | None, does: bool) -> None:
    assert matches(pattern, value) is does


def retried(entries: list[dict[str, str]], *, attempt: int = 1, exit_code: int | None = 1, **values: Any) -> bool:
    strategy = {"attempts": 3, "evaluateOnExit": entries}
    known = {"reason": None, "status_reason": EXITED} | values
    return is_retried(strategy, attempt, exit_code=exit_code, **known)


RETRY_1 = {"onExitCode": "1", "action": "RETRY"}
EXIT_ALL = {"onReason": "*", "action": "EXIT"}


@pytest.mark.parametrize(
    ("entries", "values", "again"),
    [
        ([], {}, True),
        ([RETRY_1, EXIT_ALL], {"exit_code": 1}, True),
        ([RETRY_1, EXIT_ALL], {"exit_code": 2}, False),
        ([EXIT_ALL, RETRY_1], {"exit_code": 1}, False),  # the first match decides
        ([{"onExitCode": "42", "action": "EXIT"}], {"exit_code": 1}, True),  # no match: RETRY
        ([{"onStatusReason": "Host EC2*", "action": "RETRY"}, EXIT_ALL], {"status_reason": HOST}, True),
        ([{"onStatusReason": "Host EC2*", "action": "RETRY"}, EXIT_ALL], {}, False),
        ([{"onExitCode": "137", "onReason": "OutOfMemory*", "action": "EXIT"}], {"exit_code": 137}, True),
        (
            [{"onExitCode": "137", "onReason": "OutOfMemory*", "action": "EXIT"}],
            {"exit_code": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"},
            False,
        ),
        ([{"onExitCode": "*", "action": "exit"}], {"exit_code": None}, False),  # action in any case
        ([{"onExitCode": "1", "action": "exit"}], {"exit_code": None}, True),  # nothing to match
    ],
)
def test_the_first_entry_that_matches_decides(entries: Any, values: Any, again: bool) -> None:
    assert retried(entries, **values) is again


def test_attempts_are_never_exceeded_and_one_is_the_default() -> None:
    assert retried([RETRY_1], attempt=2)
    assert not retried([RETRY_1], attempt=3)
    assert not is_retried(None, 1, exit_code=1, reason=None, status_reason=EXITED)
