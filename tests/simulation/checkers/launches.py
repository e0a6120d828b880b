"""No attempt ever runs twice, and each runs what its job was submitted as."""

from collections.abc import Iterator

from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """By the processes that truly ran."""
    seen: set[str] = set()
    for run in world.ledger.runs:
        if run.attempt_id in seen:
            yield f"attempt {run.attempt_id} of {run.job_id} ran twice"
        seen.add(run.attempt_id)
    programs = {job.job_id: job.request["parameters"]["program"] for job in world.client.submitted}
    for run in world.ledger.runs:
        wanted = programs.get(run.job_id.partition(":")[0])
        if wanted is not None and run.launch.containers[0].command != (wanted,):
            yield f"{run.job_id} ran {run.launch.containers[0].command} and was to run {wanted}"
