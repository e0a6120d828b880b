"""Types of identifiers and times, so that one cannot be passed for another.

Time is integer milliseconds since the epoch everywhere, as on the wire (F 1.1).
"""

import hashlib
from typing import NewType

AttemptId = NewType("AttemptId", str)
"""32 lower-case hex digits: the id of one attempt, which is also its ECS task id (F 3.7)."""

JobId = NewType("JobId", str)
"""What clients call a job: a UUID, `UUID:index` for an array child, `UUID#node` for a node (F 2.2)."""

JobSeq = NewType("JobSeq", int)
"""The number of a submitted job in this yard, ascending in order of submission; never seen by clients."""

Millis = NewType("Millis", int)
"""Milliseconds since the epoch."""

Arn = NewType("Arn", str)


def container_id(attempt_id: AttemptId, position: int) -> AttemptId:
    """The id of the container at this position in its attempt's list, as 32 hex digits: the attempt's own for the
    first, and one derived from it for each of the others. Log files and processes are found by it."""
    if position == 0:
        return attempt_id
    return AttemptId(hashlib.sha256(f"{attempt_id}/{position}".encode()).hexdigest()[:32])
