"""A SubmitJob or SubmitServiceJob that was answered is there for ever after; one client token makes one job."""

import json
from collections.abc import Iterator

from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """By the ids that clients were given."""
    for job in [*world.client.submitted, *world.client.services]:
        if world.key(job.job_id) is None:
            yield f"{job.job_id} was acknowledged and is gone"
    made = {(json.dumps(job.request), job.job_id) for job in world.client.services}
    if len(made) != len({request for request, _ in made}):
        yield f"one request made several service jobs: {sorted(made)}"
