"""How often and how long a job may be tried: the members retryStrategy and timeout of a definition or a SubmitJob.

User Guide, Automated job retries and Job timeouts; F 5.1 to 5.3. Whether an attempt *is* retried is decided elsewhere,
from what these functions return.
"""

import re
from collections.abc import Mapping
from typing import Any

from batchyard.core import quotas, refusals

# Literal text, with one asterisk at the very end if any.
_EXIT_CODE = re.compile(r"[0-9]*\*?")
_REASON = re.compile(r"[A-Za-z0-9.:\s]*\*?")
_CONDITIONS = {"onStatusReason": _REASON, "onReason": _REASON, "onExitCode": _EXIT_CODE}
_PATTERN_CHARACTERS = 512
_SHORTEST_ATTEMPT_SECONDS = 60


def validate_retry_strategy(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """retryStrategy as describe calls echo it: attempts, and evaluateOnExit with lower-case actions; None for None.

    Raises Refusal for attempts missing (also in an empty object) or outside 1 to 10, and for what `evaluateOnExit`
    may not hold: more than 5 entries, an entry without a condition, a pattern too long or of other characters.
    """
    if given is None:
        return None
    attempts = given.get("attempts")
    if attempts is None:
        raise refusals.retry_attempts_missing()
    if not 1 <= attempts <= quotas.RETRY_ATTEMPTS:
        raise refusals.retry_attempts_out_of_range()
    entries = given.get("evaluateOnExit") or ()
    if len(entries) > quotas.EVALUATE_ON_EXIT_ENTRIES:
        raise refusals.too_many_evaluate_on_exit()
    return {"attempts": attempts, "evaluateOnExit": [_evaluate_on_exit(entry) for entry in entries]}


def _evaluate_on_exit(entry: Mapping[str, Any]) -> dict[str, str]:
    action = str(entry.get("action", ""))
    if action.upper() not in ("RETRY", "EXIT"):
        raise refusals.evaluate_on_exit_action(action)
    conditions = {name: entry[name] for name in _CONDITIONS if entry.get(name)}
    if not conditions:
        raise refusals.evaluate_on_exit_without_condition()
    for name, pattern in conditions.items():
        if len(pattern) > _PATTERN_CHARACTERS:
            raise refusals.evaluate_on_exit_too_long()
        if not _CONDITIONS[name].fullmatch(pattern):
            raise refusals.evaluate_on_exit_characters()
    return {**conditions, "action": action.lower()}


def validate_service_retry_strategy(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """retryStrategy of a service job as describe calls echo it, None for None or {}.

    The bounds are those of other jobs, but a pattern may have any printable character and looks at the status reason
    alone (API Reference, ServiceJobEvaluateOnExit). Raises Refusal.
    """
    if not given:
        return None
    plain = validate_retry_strategy({"attempts": given.get("attempts")})
    entries = given.get("evaluateOnExit") or ()
    if len(entries) > quotas.EVALUATE_ON_EXIT_ENTRIES:
        raise refusals.too_many_evaluate_on_exit()
    return {**(plain or {}), "evaluateOnExit": [_on_status_reason(entry) for entry in entries]}


def _on_status_reason(entry: Mapping[str, Any]) -> dict[str, str]:
    action, pattern = str(entry.get("action") or ""), str(entry.get("onStatusReason") or "")
    if not action or not pattern:
        raise refusals.retry_without_status_reason()
    if len(pattern) > _PATTERN_CHARACTERS:
        raise refusals.evaluate_on_exit_too_long()
    if not pattern.isprintable() or "*" in pattern[:-1]:
        raise refusals.evaluate_on_exit_characters()
    return {"action": action.upper(), "onStatusReason": pattern}


def validate_timeout(given: Mapping[str, Any] | None) -> dict[str, int] | None:
    """timeout as describe calls echo it, in seconds; None if there is none (None or {}).

    Raises Refusal for less than 60 seconds. There is no longest one.
    """
    seconds = (given or {}).get("attemptDurationSeconds")
    if seconds is None:
        return None
    if seconds < _SHORTEST_ATTEMPT_SECONDS:
        raise refusals.timeout_too_short()
    return {"attemptDurationSeconds": seconds}
