"""What GetJobQueueSnapshot looks at: the first jobs of a queue, and what its active attempts hold."""

from heapq import merge
from itertools import islice

from batchyard.core.ids import JobSeq, Millis
from batchyard.store.jobs import PLACEABLE, SELECT_JOBS, JobRow, job_row
from batchyard.store.statements import Statements

_MISFITS = (
    f"{SELECT_JOBS} WHERE queue_id = ? AND status_reason LIKE 'MISCONFIGURATION:%'"
    " AND status IN ('RUNNABLE', 'PENDING') AND seq > ? ORDER BY seq LIMIT ?"
)

_COUNT = "SELECT count(*) FROM (SELECT 1 FROM jobs WHERE queue_id = ? AND placeable = 1 AND consumes = {consumes}"
AHEAD = tuple(f"{_COUNT.format(consumes=consumes)} AND seq < ? LIMIT ?)" for consumes in (0, 1))
AHEAD_IN_SHARE = tuple(
    f"{_COUNT.format(consumes=consumes)} AND share_identifier = ? AND share_identifier IS NOT NULL"
    f" AND {before} LIMIT ?)"
    for before in ("scheduling_priority > ?", "scheduling_priority = ? AND seq < ?")
    for consumes in (0, 1)
)
"""Each walks along the part of one index that it counts, and no further than it is to count."""


class QueueFronts:
    """Reads alone."""

    def __init__(self, statements: Statements) -> None:
        self._run = statements.run

    def first(self, queue_id: int, limit: int) -> list[JobRow]:
        """At most `limit` jobs with something to place, in order of submission."""
        placeable = ((job_row(r) for r in self._run(statement, (queue_id, -1, limit)).all()) for statement in PLACEABLE)
        return list(islice(merge(*placeable, key=lambda row: row.seq), limit))

    def misfits(self, queue_id: int, limit: int) -> list[JobRow]:
        """At most `limit` jobs that are RUNNABLE and could never fit, in order of submission."""
        return [job_row(r) for r in self._run(_MISFITS, (queue_id, -1, limit))]

    def ahead(self, queue_id: int, seq: JobSeq, most: int) -> int:
        """How many jobs of a queue with something to place were submitted before job `seq`; counts to `most`."""
        values = (queue_id, seq, most)
        return min(most, sum(int(self._run(statement, values).scalar_one()) for statement in AHEAD))

    def ahead_in_share(self, queue_id: int, share: str, priority: int, seq: JobSeq, most: int) -> int:
        """How many jobs of a share with something to place are served before job `seq` of this scheduling priority;
        counts to `most`."""
        higher, equal = (queue_id, share, priority, most), (queue_id, share, priority, seq, most)
        values = (higher, higher, equal, equal)
        counted = (self._run(s, v).scalar_one() for s, v in zip(AHEAD_IN_SHARE, values, strict=True))
        return min(most, sum(map(int, counted)))

    def runnable_since(self, seq: JobSeq) -> Millis:
        """When a single job that is RUNNABLE became so for the last time."""
        statement = "SELECT at FROM history WHERE job_seq = ? AND to_status = 'RUNNABLE' ORDER BY seq DESC LIMIT 1"
        return Millis(self._run(statement, (seq,)).scalar_one())

    def children_runnable_since(self, seq: JobSeq, first: int, last: int) -> dict[int, Millis]:
        """When children `first` to `last` of an array became RUNNABLE for the last time, by index; those that did."""
        found = self._run(
            "SELECT at, first_index, last_index FROM history WHERE job_seq = ? AND to_status = 'RUNNABLE'"
            " AND first_index <= ? AND last_index >= ? ORDER BY seq",
            (seq, last, first),
        )
        since: dict[int, Millis] = {}
        for at, low, high in found:
            since.update(dict.fromkeys(range(max(low, first), min(high, last) + 1), Millis(at)))
        return since

    def vcpus_in_use(self, queue_id: int) -> list[tuple[str | None, float]]:
        """The vCPUs that the queue's active attempts hold, by share identifier, the most first."""
        return self._in_use(queue_id, "attempts.vcpus")

    def instances_in_use(self, queue_id: int) -> list[tuple[str | None, float]]:
        """The same of training instances, of which each service job holds one."""
        return self._in_use(queue_id, "1.0")

    def _in_use(self, queue_id: int, what: str) -> list[tuple[str | None, float]]:
        found = self._run(
            f"SELECT jobs.share_identifier, sum({what}) AS used FROM attempts CROSS JOIN jobs"
            " ON jobs.seq = attempts.job_seq WHERE attempts.stopped_at IS NULL AND jobs.queue_id = ?"
            " GROUP BY jobs.share_identifier ORDER BY used DESC, jobs.share_identifier",
            (queue_id,),
        )
        return [(share, used) for share, used in found]
