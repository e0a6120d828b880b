"""What truly runs together never exceeds the machine, nor a compute environment's maxvCpus, nor the
instances of a service environment."""

from collections.abc import Iterator

from tests.simulation.ledger import Run
from tests.simulation.workload import MANAGED, TRAINING
from tests.simulation.world import CAPACITY, World


def check(world: World) -> Iterator[str]:
    """At the end, at each moment something started. A compute environment may have been wider before."""
    if not world.is_settled:
        return
    runs = world.ledger.runs
    for position, run in enumerate(runs):
        together = [run, *(other for other in runs[:position] if _runs_beyond(other, run.started_at))]
        if sum(other.launch.vcpus for other in together) > CAPACITY.vcpus:
            yield f"at {run.started_at} more vCPUs ran than there are: {together}"
        if sum(other.launch.memory_mib for other in together) > CAPACITY.memory_mib:
            yield f"at {run.started_at} more memory was held than there is: {together}"
        name = run.launch.compute_environment
        beside = [other.launch for other in together if other.launch.compute_environment == name]
        used = len(beside) if name in (TRAINING, MANAGED) else sum(launch.vcpus for launch in beside)
        if used > world.client.widest[name]:
            yield f"at {run.started_at} {used} vCPUs or instances ran in {name}"


def _runs_beyond(run: Run, at: int) -> bool:
    return run.ended_at is None or run.ended_at > at
