"""No more children of an array truly run together than its tag `batchyard:max-parallel` allows."""

from collections.abc import Iterator

from batchyard.core.batchyard_tags import MAX_PARALLEL
from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """At the end, at each moment something started."""
    if not world.is_settled:
        return
    limits = {job.job_id: int(job.request.get("tags", {}).get(MAX_PARALLEL, 1 << 30)) for job in world.client.submitted}
    runs = world.ledger.runs
    for position, run in enumerate(runs):
        array = run.job_id.partition(":")[0]
        before = [other for other in runs[:position] if other.job_id.partition(":")[0] == array]
        together = 1 + sum(other.ended_at is None or other.ended_at > run.started_at for other in before)
        if together > limits.get(array, 1 << 30):
            yield f"at {run.started_at} {together} children of {array} ran, and {limits[array]} may"
