"""Forgetting what ended long ago: a walk along the oldest jobs, a few of them at a time.

The walk follows the order of submission and ends at the first job that is too young to have ended long ago, so it takes
time in what is forgotten and in old jobs that must stay, and no index is kept for it. Where it stands is not written
down: begun anew, it finds the same jobs. Files go after the commit that forgets their attempts, and a row remembers
them until they are gone, so a crash leaves neither a row without its job for good nor a file without its row.
"""

import logging
from collections.abc import Callable, Sequence

from batchyard.core.ids import AttemptId, JobSeq, Millis
from batchyard.store.transaction import Transaction

log = logging.getLogger(__name__)

JOBS_AT_ONCE = 100
ROWS_AT_ONCE = 1000
PAUSE_MS = 250
"""Between two steps of a walk: each holds up the loop for some milliseconds."""

REST_MS = 60_000
"""Between two walks, at least."""

_NEEDED_MS = 600_000
"""Before a job that is old enough, and that another one depends on, is looked at again."""

RemoveLogs = Callable[[Sequence[AttemptId]], None]
"""Removes what these attempts wrote; that of some may be gone already."""


class Retention:
    """Forgets jobs `keep_millis` after their end (None: never) and has their logs removed."""

    def __init__(self, keep_millis: int | None = None, remove_logs: RemoveLogs = lambda _attempt_ids: None) -> None:
        self._keep_millis = keep_millis
        self._remove_logs = remove_logs
        self.next_at: Millis | None = Millis(0)
        """When there is something to do, as far as is known; at the start, what was left over."""
        self._walked_to = JobSeq(-1)
        self._due: list[int] = []
        self._removable: list[AttemptId] = []
        self._removed: list[AttemptId] = []
        self._has_stepped = False

    def step(self, tx: Transaction, now: Millis) -> None:
        """Do a little of what is to be done, if it is time."""
        if self.next_at is None or now < self.next_at:
            return
        self._has_stepped = True
        tx.pruning.forget_logs(self._removed)
        is_busy = tx.pruning.sweep(ROWS_AT_ONCE) > 0
        if not is_busy and self._keep_millis is not None:
            is_busy = self._walk(tx, now, self._keep_millis)
        self._removable = tx.pruning.logs(JOBS_AT_ONCE)
        if is_busy or self._removable or self._removed:
            self.next_at = Millis(now + PAUSE_MS)
        elif self._keep_millis is None:
            self.next_at = None
        else:
            self.next_at = Millis(max(now + REST_MS, min(self._due, default=now + self._keep_millis)))
            self._due = []

    def _walk(self, tx: Transaction, now: Millis, keep_millis: int) -> bool:
        """Look at some jobs more; whether there are others to look at."""
        page = tx.pruning.oldest(self._walked_to, JOBS_AT_ONCE)
        young = next((job.created_at for job in page if job.created_at + keep_millis > now), None)
        ended = [(job, job.stopped_at + keep_millis) for job in page if job.stopped_at is not None]
        expired = [job for job, due_at in ended if due_at <= now and not job.is_needed]
        later = [due_at if due_at > now else now + _NEEDED_MS for job, due_at in ended if due_at > now or job.is_needed]
        self._due += [min(later)] if later else []
        tx.pruning.retire(expired)
        if young is None and len(page) == JOBS_AT_ONCE:
            self._walked_to = page[-1].seq
            return True
        self._walked_to = JobSeq(-1)
        self._due += [] if young is None else [young + keep_millis]
        return bool(expired)

    def after_commit(self) -> None:
        """Remove the files of attempts whose rows are gone for good."""
        if not self._has_stepped:
            return
        self._has_stepped = False
        self._removed, self._removable = self._removable, []
        try:
            self._remove_logs(self._removed)
        except OSError:
            log.warning("the logs of jobs that were forgotten could not be removed; tried again", exc_info=True)
            self._removed = []

    def after_rollback(self) -> None:
        """Nothing of the last step has happened."""
        self._walked_to, self._due = JobSeq(-1), []
        self._removable, self._removed = [], []
        self._has_stepped, self.next_at = False, Millis(0)
