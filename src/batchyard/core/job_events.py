"""What a job was when its status changed.

The history says that a job went from one status to another, when, with which attempt and for what reason. The rest of
what an event tells is in the rows of today; here it is taken back to that moment. A job that has ended never changes
again, so its last event shows its rows as they are.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from batchyard.core import arrays
from batchyard.core.arrays import Children
from batchyard.core.ids import Millis
from batchyard.core.jobs import Attempt, Job, JobStatus

_POSITION = re.compile(r"(?P<seq>[0-9]{1,18})(?:\.(?P<index>[0-9]{1,9}))?", re.ASCII)


class Position(NamedTuple):
    """Where a reader of the history stands: behind row `seq`, or behind child `array_index` of those that it is about.

    Written `SEQ` or `SEQ.INDEX`. `Position(0)` is before the first row.
    """

    seq: int
    array_index: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Position | None":
        """The position of what `str` writes; None for anything else."""
        found = _POSITION.fullmatch(text)
        if found is None:
            return None
        return cls(int(found["seq"]), None if found["index"] is None else int(found["index"]))

    def __str__(self) -> str:
        return str(self.seq) if self.array_index is None else f"{self.seq}.{self.array_index}"

    @property
    def last_passed(self) -> int:
        """The number of the last row that nothing is left of."""
        return self.seq if self.array_index is None else self.seq - 1


class Transition(NamedTuple):
    """A change of status. attempt: how many had begun, None for array children that had none."""

    at: Millis
    status: JobStatus
    attempt: int | None = None
    reason: str | None = None


def attempts_then(attempts: Sequence[Attempt], transition: Transition) -> list[Attempt]:
    """The attempts of a job as they were then, from all that it has now, oldest first.

    An attempt that is STARTING has not started, one that is RUNNING has not ended; whatever else follows one, it ended.
    """
    number = transition.attempt or 0
    known = [each for each in attempts if each.attempt <= number]
    if transition.status in (JobStatus.STARTING, JobStatus.RUNNING) and known and known[-1].attempt == number:
        started_at = known[-1].started_at if transition.status is JobStatus.RUNNING else None
        # What an attempt is placed with has no default; what has one becomes known later.
        known[-1] = known[-1]._replace(**Attempt._field_defaults)._replace(started_at=started_at)
    return known


def job_then(job: Job, transition: Transition, attempts: Sequence[Attempt]) -> Job:
    """A job, an array's parent or a child as it was then, from its row of now and its attempts of then.

    Whether it had been cancelled or terminated is told with its end alone: before, the rows do not say since when.
    """
    if transition.status.is_terminal:
        return job
    started = [each.started_at for each in attempts if each.started_at is not None]
    return job._replace(
        status=transition.status,
        status_reason=transition.reason,
        started_at=started[-1] if started else None,
        stopped_at=None,
        is_cancelled=False,
        is_terminated=False,
    )


def children_then(children: Children, transition: Transition) -> Children:
    """The children of an array when its parent went to a status: all PENDING at first, as they are now at the end."""
    return children if transition.status.is_terminal else arrays.spawn(children.size)
