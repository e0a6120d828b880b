"""A SubmitJob that was answered is there for ever after."""

from collections.abc import Iterator

from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """By the ids that clients were given."""
    for job in world.client.submitted:
        if world.key(job.job_id) is None:
            yield f"{job.job_id} was acknowledged and is gone"
