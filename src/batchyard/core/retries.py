"""retryStrategy: whether a failed attempt is followed by another (User Guide, Automated job retries).

The entries of evaluateOnExit are tried in order; an entry matches when all its conditions do; the first match decides
between RETRY and EXIT; no match means RETRY. RETRY never exceeds `attempts`. Two corners the guide leaves to examples:
a lone `*` matches a value that is missing (its own catch-all, `onReason: "*"`, must catch an ordinary non-zero exit,
which has no reason), and any other pattern needs a value.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvaluateOnExit:
    """One entry. `action` is `retry` or `exit`, lower case as AWS echoes it."""

    action: str
    on_status_reason: str | None = None
    on_reason: str | None = None
    on_exit_code: str | None = None


@dataclass(frozen=True, slots=True)
class RetryStrategy:
    """attempts: 1 to 10."""

    attempts: int = 1
    evaluate_on_exit: tuple[EvaluateOnExit, ...] = ()


ONE_ATTEMPT = RetryStrategy()


def matches(pattern: str, value: str | None) -> bool:
    """Whether `value` fits `pattern`: literal text, with at most one `*`, at the end. Case matters."""
    if pattern == "*":
        return True
    if value is None:
        return False
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def is_retried(
    strategy: RetryStrategy, attempt: int, *, exit_code: int | None, reason: str | None, status_reason: str | None
) -> bool:
    """Whether the failed attempt number `attempt` (from 1) is followed by another."""
    if attempt >= strategy.attempts:
        return False
    code = None if exit_code is None else str(exit_code)
    for entry in strategy.evaluate_on_exit:
        conditions = (
            (entry.on_status_reason, status_reason),
            (entry.on_reason, reason),
            (entry.on_exit_code, code),
        )
        if all(matches(pattern, value) for pattern, value in conditions if pattern is not None):
            return entry.action.lower() == "retry"
    return True
