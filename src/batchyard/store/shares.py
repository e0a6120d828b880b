"""The shares of fair-share queues: what each has used, which have jobs, and the first of these.

The shares of a queue are found by one seek of an index for each of them, however many jobs they have.
"""

from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice

from batchyard.core.fair_share import Held, Usage
from batchyard.core.ids import Millis
from batchyard.store.jobs import SELECT_JOBS, JobRow, job_row
from batchyard.store.statements import Statements


def _each_share(where: str) -> str:
    """The shares of a queue that have a job `where`, which must be the condition of an index by queue and share."""
    least = f"SELECT min(share_identifier) FROM jobs WHERE queue_id = ?1 AND share_identifier IS NOT NULL AND {where}"
    return (
        f"WITH RECURSIVE found(share) AS ({least} UNION ALL SELECT ({least} AND share_identifier > found.share)"
        " FROM found WHERE found.share IS NOT NULL) SELECT share FROM found WHERE share IS NOT NULL"
    )


PLACEABLE_SHARES = _each_share("placeable = 1")
LIVE_SHARES = _each_share("status NOT IN ('SUCCEEDED', 'FAILED')")
SHARE_HEADS = (
    f"{SELECT_JOBS} WHERE queue_id = ? AND share_identifier = ? AND share_identifier IS NOT NULL AND placeable = 1"
    " AND consumes = ? AND scheduling_priority <= ?"
    " AND NOT (scheduling_priority = ? AND seq <= ?)"
    " ORDER BY scheduling_priority DESC, seq LIMIT ?"
)
_IS_LIVE = (
    "SELECT 1 FROM jobs WHERE queue_id = ? AND share_identifier = ? AND share_identifier IS NOT NULL"
    " AND status NOT IN ('SUCCEEDED', 'FAILED') LIMIT 1"
)

HIGHEST_PRIORITY = 1 << 31
"""Above any schedulingPriority: where the heads of a share begin."""


def served_order(row: JobRow) -> tuple[int, int]:
    """What the jobs of a share are ordered by: the higher scheduling priority first, then first in, first out."""
    return -(row.scheduling_priority or 0), row.seq


class Shares:
    """The door to them, on one connection."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def usages(self, queue_id: int) -> dict[str, Usage]:
        """What the ended attempts of the queue's shares count, by share identifier."""
        found = self._run("SELECT share_identifier, vcpu_seconds, at FROM share_usage WHERE queue_id = ?", (queue_id,))
        return {share: Usage(vcpu_seconds, Millis(at)) for share, vcpu_seconds, at in found}

    def write(self, queue_id: int, usages: Mapping[str, Usage]) -> None:
        """Set what these shares have used."""
        values = [(queue_id, share, usage.vcpu_seconds, usage.at) for share, usage in usages.items()]
        if values:
            statement = "INSERT OR REPLACE INTO share_usage (queue_id, share_identifier, vcpu_seconds, at) VALUES"
            self._run(f"{statement} (?, ?, ?, ?)", values)

    def forget(self, queue_id: int, share_identifiers: Sequence[str]) -> None:
        """Remove what these shares have used."""
        values = [(queue_id, share) for share in share_identifiers]
        if values:
            self._run("DELETE FROM share_usage WHERE queue_id = ? AND share_identifier = ?", values)

    def forget_queue(self, queue_id: int) -> None:
        """Remove what all shares of a queue have used."""
        self._run("DELETE FROM share_usage WHERE queue_id = ?", (queue_id,))

    def placeable(self, queue_id: int) -> list[str]:
        """The shares of a queue that have something to place."""
        return [row[0] for row in self._run(PLACEABLE_SHARES, (queue_id,))]

    def live(self, queue_id: int) -> list[str]:
        """The shares of a queue that have a job that has not ended."""
        return [row[0] for row in self._run(LIVE_SHARES, (queue_id,))]

    def is_live(self, queue_id: int, share_identifier: str) -> bool:
        """Whether a share has a job that has not ended."""
        return self._run(_IS_LIVE, (queue_id, share_identifier)).first() is not None

    def heads(
        self, queue_id: int, share_identifier: str, after: tuple[int, int], limit: int, *, consuming: bool = False
    ) -> list[JobRow]:
        """The next jobs of a share with something to place, the higher scheduling priority first and then first in
        first out, from beyond a priority and number: those that need no consumable resources, or those that do."""
        priority, seq = after
        values = (queue_id, share_identifier, consuming, priority, priority, seq, limit)
        return [job_row(r) for r in self._run(SHARE_HEADS, values)]

    def first(self, queue_id: int, share_identifier: str, limit: int) -> Iterator[JobRow]:
        """At most `limit` jobs of a share with something to place, in the order in which they are served."""
        begin = (HIGHEST_PRIORITY, 0)
        kinds = (
            self.heads(queue_id, share_identifier, begin, limit, consuming=consuming) for consuming in (False, True)
        )
        yield from islice(merge(*kinds, key=served_order), limit)

    def held(self, queue_id: int) -> list[Held]:
        """The active attempts of the queue's shares."""
        found = self._run(
            "SELECT jobs.share_identifier, attempts.vcpus, attempts.started_at FROM attempts CROSS JOIN jobs"
            " ON jobs.seq = attempts.job_seq WHERE attempts.stopped_at IS NULL AND jobs.queue_id = ?"
            " AND jobs.share_identifier IS NOT NULL",
            (queue_id,),
        )
        return [Held(*row) for row in found]
