"""The story of every job is a path through the transition table, from SUBMITTED to where the job is."""

from collections.abc import Iterator, Mapping

from batchyard.core import events
from batchyard.core.jobs import JobKey, JobStatus
from batchyard.core.lifecycle import PARENT_TRANSITIONS, TRANSITIONS, Targets
from batchyard.store.history import HistoryRow
from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """At the end."""
    if not world.is_settled:
        return
    with world.database.read() as tx:
        for seq, job in world.records.jobs.items():
            size = world.records.sizes.get(seq)
            status: dict[int | None, JobStatus] = {None: JobStatus.SUBMITTED}
            status |= dict.fromkeys(range(size or 0), JobStatus.PENDING)
            for row in tx.history.of_job(seq):
                yield from _take(row, status, PARENT_TRANSITIONS if size and row.span is None else TRANSITIONS)
            if status.pop(None) is not job.status:
                yield f"the story of {seq} does not end in {job.status}"
            for index, found in status.items():
                if index is not None and found is not world.records.child_status(seq, index):
                    yield f"the story of {JobKey(seq, index)} ends in {found}"


def _take(
    row: HistoryRow, status: dict[int | None, JobStatus], table: Mapping[type[events.Event], Targets]
) -> Iterator[str]:
    allowed = table.get(getattr(events, row.event), {})
    indexes = [None] if row.span is None else range(row.span[0], row.span[1] + 1)
    for index in indexes:
        before, after = status[index], JobStatus(row.to_status)
        if row.from_status != before or after not in allowed.get(before, ()):
            yield f"{JobKey(row.job_seq, index)} was {before}, and then {row}"
        status[index] = after
