"""Attempts follow one another exactly as retryStrategy says (User Guide, Automated job retries).

evaluateOnExit is judged here a second time, by regular expressions, so that a mistake would have to be made twice.
"""

import re
from collections.abc import Iterator
from typing import Any

from batchyard.core.jobs import Attempt, Job, JobStatus, StopCause
from tests.simulation.workload import Submitted
from tests.simulation.world import World

_FOR_GOOD = (StopCause.TERMINATED, StopCause.TIMED_OUT)


def check(world: World) -> Iterator[str]:
    """At the end, by what clients asked for and what the rows recorded."""
    if not world.is_settled:
        return
    for job in world.client.submitted:
        for name in job.names():
            yield from _check_one(job, name, world.job(name), list(world.attempts(name)))


def _check_one(submitted: Submitted, name: str, job: Job, attempts: list[Attempt]) -> Iterator[str]:
    strategy = submitted.request.get("retryStrategy") or {"attempts": 1}
    if len(attempts) > strategy["attempts"]:
        yield f"{name} had {len(attempts)} attempts of {strategy['attempts']}"
    for attempt in attempts[:-1]:
        if attempt.stop_wanted in _FOR_GOOD or attempt.exit_code == 0 or not _is_retried(strategy, attempt):
            yield f"{name} had another attempt after {attempt}"
    if not attempts:
        return
    last = attempts[-1]
    was_ended = job.is_cancelled or job.is_terminated or job.status_reason == "JobQueue deleted"
    if job.status is JobStatus.SUCCEEDED and (last.exit_code != 0 or last.stop_wanted in _FOR_GOOD):
        yield f"{name} SUCCEEDED by {last}"
    if job.status is JobStatus.FAILED and not was_ended and last.stop_wanted not in _FOR_GOOD:
        if last.exit_code == 0:
            yield f"{name} FAILED by {last}"
        if len(attempts) < strategy["attempts"] and _is_retried(strategy, last):
            yield f"{name} was to have another attempt after {last}"


def _is_retried(strategy: dict[str, Any], attempt: Attempt) -> bool:
    exit_code = None if attempt.exit_code is None else str(attempt.exit_code)
    values = {"onExitCode": exit_code, "onReason": attempt.reason, "onStatusReason": attempt.status_reason}
    for entry in strategy.get("evaluateOnExit", ()):
        if all(_fits(entry[name], value) for name, value in values.items() if name in entry):
            return bool(re.fullmatch("retry", entry["action"], re.IGNORECASE))
    return True


def _fits(pattern: str, value: str | None) -> bool:
    return pattern == "*" or bool(re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), value or "\n", re.DOTALL))
