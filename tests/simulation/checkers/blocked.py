"""Who says that it is blocked is known since when; whoever has ended is not."""

from collections.abc import Iterator

from batchyard.core.time_limits import is_blocked_reason
from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """After every commit; at the end nobody is blocked any more."""
    blocked = world.reader.blocked
    for seq, job in world.records.jobs.items():
        row = blocked.get(seq)
        if is_blocked_reason(job.status_reason) and not job.status.is_terminal:
            if row is None or row.reason != job.status_reason:
                yield f"{job} says why it cannot be placed, and its row is {row}"
        elif row is not None and job.status.is_terminal:
            yield f"{job} has ended and is blocked: {row}"
    if world.is_settled and blocked:
        yield f"everything has ended, and blocked are {blocked}"
