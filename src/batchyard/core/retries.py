"""retryStrategy: whether a failed attempt is followed by another (User Guide, Automated job retries).

The entries of evaluateOnExit are tried in order; an entry matches when all its conditions do; the first match decides
between RETRY and EXIT; no match means RETRY. RETRY never exceeds `attempts`. Two corners the guide leaves to examples:
a lone `*` matches a value that is missing (its own catch-all, `onReason: "*"`, must catch an ordinary non-zero exit,
which has no reason), and any other pattern needs a value.
"""

from collections.abc import Mapping
from typing import Any


def matches(pattern: str, value: str | None) -> bool:
    """Whether `value` fits `pattern`: literal text, with at most one `*`, at the end. Case matters."""
    if pattern == "*":
        return True
    if value is None:
        return False
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern


def is_retried(
    retry_strategy: Mapping[str, Any] | None,
    attempt: int,
    *,
    exit_code: int | None,
    reason: str | None,
    status_reason: str | None,
) -> bool:
    """Whether the failed attempt number `attempt` (from 1) is followed by another.

    retry_strategy: AWS's own object, {attempts, evaluateOnExit}; None means one attempt.
    """
    if retry_strategy is None or attempt >= retry_strategy["attempts"]:
        return False
    entry = matching_entry(retry_strategy, exit_code=exit_code, reason=reason, status_reason=status_reason)
    return entry is None or str(entry["action"]).upper() == "RETRY"


def matching_entry(
    retry_strategy: Mapping[str, Any], *, exit_code: int | None, reason: str | None, status_reason: str | None
) -> Mapping[str, Any] | None:
    """The entry of evaluateOnExit that decides on a failed attempt; None where none does."""
    values = {
        "onStatusReason": status_reason,
        "onReason": reason,
        "onExitCode": None if exit_code is None else str(exit_code),
    }
    for entry in retry_strategy.get("evaluateOnExit") or ():
        conditions = [(entry[name], value) for name, value in values.items() if entry.get(name) is not None]
        if all(matches(pattern, value) for pattern, value in conditions):
            decisive: Mapping[str, Any] = entry
            return decisive
    return None
