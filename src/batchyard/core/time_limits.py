"""jobStateTimeLimitActions: how long a job may stand blocked at the head of its queue (F 8.2; User Guide, Jobs stuck in
RUNNABLE).

A job is blocked while its statusReason is one of the reasons of F 3.4, `<code> - <explanation>`. An entry of a queue's
jobStateTimeLimitActions names a code, and what is done with a job that has been blocked for it for maxTimeSeconds.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from batchyard.core import events as e
from batchyard.core import reasons
from batchyard.core.ids import JobSeq, Millis


class BlockedJob(NamedTuple):
    """A job, or an array for its waiting children, that says since when `reason` (its statusReason) keeps it from
    being placed. due_at: when its queue's time limit ends it, None without one."""

    seq: JobSeq
    queue_id: int
    reason: str
    since: Millis
    due_at: Millis | None = None

    def limited_by(self, actions: Sequence[Mapping[str, Any]]) -> "BlockedJob":
        """The same, under these jobStateTimeLimitActions."""
        action = action_for(self.reason, actions)
        due_at = None if action is None else Millis(self.since + 1000 * action["maxTimeSeconds"])
        return self._replace(due_at=due_at)


def is_blocked_reason(status_reason: str | None) -> bool:
    """Whether a statusReason says why a job cannot be placed."""
    return status_reason is not None and status_reason.startswith(("MISCONFIGURATION:", "CAPACITY:"))


def action_for(reason: str, actions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The entry for this statusReason that comes due first; an entry may give the code alone or the whole text."""
    matching = [action for action in actions if action["reason"] in (reason, reason.partition(" - ")[0])]
    return min(matching, key=lambda action: int(action["maxTimeSeconds"]), default=None)


def consequence(action: Mapping[str, Any], at: Millis) -> e.CancelRequested | e.TerminateRequested:
    """What happens to a job whose time is over."""
    if action["action"] == "TERMINATE":
        return e.TerminateRequested(at, reasons.terminated_by_time_limit(action["reason"]))
    return e.CancelRequested(at, reasons.cancelled_by_time_limit(action["reason"]))
