"""Other jobs in an explanation, as far as its reader may know of them."""

from batchyard.api.batch.jobs_in_rows import job_of
from batchyard.api.context import Context
from batchyard.core import access
from batchyard.core.explanations import Mention
from batchyard.core.jobs import JobKey
from batchyard.core.resources import JobQueue
from batchyard.store.jobs import JobRow


class Mentions:
    """For one caller. `queues`: by id, those that are known already."""

    def __init__(self, context: Context, queues: dict[int, JobQueue]) -> None:
        self._context = context
        self._queues = queues

    def of(self, row: JobRow, array_index: int | None = None, *, with_status: bool = True) -> Mention:
        """A job or child; one of a queue that is not the caller's has neither id nor name."""
        name = self._queue(row)
        principal = self._context.principal
        if principal is not None and not access.may_use_queue(principal, name):
            return Mention()
        job_id = row.job_id if array_index is None else f"{row.job_id}:{array_index}"
        status = job_of(self._context.tx, row, JobKey(row.seq, array_index)).status.value if with_status else ""
        return Mention(job_id, row.job_name, status, name)

    def _queue(self, row: JobRow) -> str:
        queue = self._queues.get(row.queue_id)
        return self._context.tx.jobs.terms(row.seq).queue if queue is None else queue.name
