"""What is said of a job that has been placed: it starts, it runs, or it has ended, and how."""

from collections.abc import Mapping, Sequence
from typing import Any

from batchyard.core import reasons
from batchyard.core.explanations.causes import Cause, Explanation, Facts, counted, listed
from batchyard.core.explanations.dependencies import OpenDependency
from batchyard.core.jobs import Attempt, Job, StopCause
from batchyard.core.retries import matching_entry

SIGNAL_EXIT = 128
"""A shell's way to say that a signal ended a command: 128 and its number."""

_MEANINGS = {126: ": the command could not be executed", 127: ": the command was not found"}
_SIGNALS = {
    1: "SIGHUP",
    2: "SIGINT",
    6: "SIGABRT",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    13: "SIGPIPE",
    15: "SIGTERM",
}

RetryStrategy = Mapping[str, Any] | None


def starting(attempt: Attempt | None, *, is_connected: bool, is_ahead: bool, images: Sequence[str] = ()) -> Explanation:
    """A job that has been placed. is_connected: whether the executor answers. is_ahead: more is placed than fits.
    images: those that its executor has to have."""
    facts = {} if attempt is None else _attempt_facts(attempt)
    where = "" if attempt is None else f" in {attempt.compute_environment}"
    if not is_connected:
        sentence = f"It has been placed{where}, and the executor cannot be reached; it starts when that is back."
        return Explanation(Cause.EXECUTOR_UNREACHABLE, sentence, (), facts)
    if is_ahead:
        sentence = "It has been handed over ahead of time: it starts as soon as a short job before it has ended."
        return Explanation(Cause.WAITS_FOR_SLOT, sentence, (), facts)
    if images:
        pulled = listed([f"{image} is pulled" for image in dict.fromkeys(images)])
        sentence = f"It has been placed{where} and is being started: {pulled} if it is not here yet."
        return Explanation(Cause.STARTING, sentence, (), {**facts, "images": list(images)})
    return Explanation(Cause.STARTING, f"It has been placed{where} and its process is being started.", (), facts)


def stopping(job: Job, attempt: Attempt) -> Explanation:
    """A job whose attempt is to be ended."""
    causes = {StopCause.TIMED_OUT: "its time is over", StopCause.TERMINATED: "somebody wants it ended"}
    causes |= {StopCause.PREEMPTED: "another job has a better claim to what it holds"}
    why = causes.get(attempt.stop_wanted or StopCause.TERMINATED, "its host is replaced")
    said = f" ({job.requested_reason})" if job.requested_reason else ""
    return Explanation(Cause.STOPPING, f"It is being stopped, since {why}{said}.", (), _attempt_facts(attempt))


def running(job: Job, attempt: Attempt | None, retry_strategy: RetryStrategy) -> Explanation:
    """A job that runs."""
    facts = {} if attempt is None else _attempt_facts(attempt)
    attempts = int((retry_strategy or {}).get("attempts", 1))
    again = f", in attempt {job.attempt} of {attempts}" if attempts > 1 else ""
    where = "" if attempt is None else f" in {attempt.compute_environment}"
    return Explanation(Cause.RUNNING, f"It does not wait: it runs{where}{again}.", (), facts)


def ended(job: Job, attempts: Sequence[Attempt], retry_strategy: RetryStrategy) -> Explanation:
    """A job, or a child of an array, that has ended."""
    last = attempts[-1] if attempts else None
    facts = {"attempts": len(attempts), "statusReason": job.status_reason}
    facts |= {} if last is None else _attempt_facts(last)
    if job.status.value == "SUCCEEDED":
        return Explanation(Cause.SUCCEEDED, "It does not wait: it succeeded.", (), facts)
    reason = f": {job.status_reason}" if job.status_reason else ""
    if last is None:
        return Explanation(Cause.FAILED, f"It failed without having run{reason}.", (), facts)
    decision = retry_decision(job, last, retry_strategy)
    sentence = f"It failed {_how(last)}{reason}."
    return Explanation(Cause.FAILED, sentence, (decision,), {**facts, "retry": decision})


def after_dependencies(found: Explanation, failed: Sequence[OpenDependency]) -> Explanation:
    """The end of a job whose dependencies failed, with these in the sentence."""
    if not failed:
        return found
    named = listed([str(each) for each in failed])
    sentence = f"It failed without having run, since what it depends on failed: {named}."
    facts = {**found.facts, "dependencies": [each.facts for each in failed]}
    return Explanation(found.cause, sentence, found.details, facts)


def failed_array(
    children: Facts, failed: Sequence[tuple[int, Job, Sequence[Attempt]]], reason: str | None
) -> Explanation:
    """An array that FAILED; some of its children that did, by index, and how many there are in each status."""
    count = int(children.get("FAILED", 0))
    details = []
    for index, job, attempts in failed:
        found = ended(job, attempts, None)
        details.append(f"Child {index}: {found.sentence}")
    said = f": {reason}" if reason else ""
    verb = f"{counted(count, 'child', 'children')} of it failed" if count else "it ended"
    return Explanation(Cause.FAILED, f"The array failed, since {verb}{said}.", tuple(details), {"children": children})


def retry_decision(job: Job, last: Attempt, retry_strategy: RetryStrategy) -> str:
    """Why the last attempt of a failed job was not followed by another."""
    if last.stop_wanted is StopCause.TERMINATED:
        return "It was ended by a request, and what is ended so is not tried again."
    if last.stop_wanted is StopCause.TIMED_OUT or job.status_reason == reasons.TIMED_OUT:
        return "A job whose time is over is not tried again."
    if retry_strategy is None or retry_strategy["attempts"] <= 1:
        return "It has no retry strategy, so it was not tried again."
    entry = matching_entry(
        retry_strategy, exit_code=last.exit_code, reason=last.reason, status_reason=last.status_reason
    )
    if entry is not None and str(entry["action"]).upper() != "RETRY" and last.attempt < retry_strategy["attempts"]:
        conditions = listed(
            [f"{name} {value}" for name, value in entry.items() if name != "action" and value is not None]
        )
        return f"It was not tried again, since evaluateOnExit says so for {conditions}."
    return f"All {retry_strategy['attempts']} attempts of its retry strategy are used up."


def retried(last: Attempt, retry_strategy: RetryStrategy) -> str:
    """What is said first of a job that waits to be tried again."""
    if last.stop_wanted is StopCause.PREEMPTED:
        return f"Attempt {last.attempt} was preempted, and it is to be run again."
    attempts = int((retry_strategy or {}).get("attempts", last.attempt))
    return f"Attempt {last.attempt} of {max(attempts, last.attempt)} failed {_how(last)}, and it is to be tried again."


def retry_facts(last: Attempt, retry_strategy: RetryStrategy) -> Facts:
    """The same as data."""
    attempts = int((retry_strategy or {}).get("attempts", last.attempt))
    return {"attempts": attempts, "failedAttempt": last.attempt, **_attempt_facts(last)}


def _how(attempt: Attempt) -> str:
    """`with exit code 137: ended by SIGKILL`."""
    code = attempt.exit_code
    if code is None:
        return f"({attempt.reason or attempt.status_reason or 'no exit code'})"
    meaning = _MEANINGS.get(code, "")
    if code - SIGNAL_EXIT in _SIGNALS:
        meaning = f": ended by {_SIGNALS[code - SIGNAL_EXIT]}"
    return f"with exit code {code}{meaning}{f' ({attempt.reason})' if attempt.reason else ''}"


def _attempt_facts(attempt: Attempt) -> dict[str, Any]:
    facts: dict[str, Any] = {"attempt": attempt.attempt, "computeEnvironment": attempt.compute_environment}
    more = {"exitCode": attempt.exit_code, "reason": attempt.reason, "logStreamName": attempt.log_stream}
    return facts | {name: value for name, value in more.items() if value is not None}
