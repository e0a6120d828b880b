"""What has ended never changes again: not a job, not a child, not an attempt."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from batchyard.core.intervals import NOTHING, Indexes
from batchyard.core.jobs import Attempt, Job, JobKey, JobStatus
from tests.simulation.world import World

if TYPE_CHECKING:
    from batchyard.core.ids import JobSeq


class Endings:
    """Remembers every end it has seen."""

    def __init__(self) -> None:
        self._jobs: dict[JobKey, Job] = {}
        self._attempts: dict[tuple[JobKey, int], Attempt] = {}
        self._children: dict[tuple[JobSeq, JobStatus], Indexes] = {}

    def __call__(self, world: World) -> Iterator[str]:
        """After every commit."""
        records = world.records
        jobs = {job.key: job for job in [*records.jobs.values(), *records.child_rows.values()]}
        yield from (f"{job} became {jobs.get(key)}" for key, job in self._jobs.items() if jobs.get(key) != job)
        self._jobs = {key: job for key, job in jobs.items() if job.status.is_terminal}
        attempts = {(a.key, a.attempt): a for made in records.attempts.values() for a in made}
        yield from (f"{a} became {attempts.get(k)}" for k, a in self._attempts.items() if attempts.get(k) != a)
        self._attempts = {key: attempt for key, attempt in attempts.items() if attempt.stopped_at is not None}
        for seq in records.children:
            for status in (JobStatus.SUCCEEDED, JobStatus.FAILED):
                now = records.children_in(seq, status)
                if gone := self._children.get((seq, status), NOTHING) - now:
                    yield f"children {gone} of {seq} are no longer {status}"
                self._children[seq, status] = now
