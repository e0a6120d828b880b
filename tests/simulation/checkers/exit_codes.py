"""What the rows say of an attempt's end is what truly happened; only what nobody saw may be called lost."""

from collections.abc import Iterator

from batchyard.core.jobs import Attempt, StopCause
from tests.simulation.ledger import Run
from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """After every commit, for attempts that have ended."""
    runs = {run.attempt_id: run for run in world.ledger.runs}
    for attempts in world.records.attempts.values():
        for attempt in attempts:
            if attempt.stopped_at is not None:
                yield from _check_one(world, attempt, runs.get(attempt.attempt_id))


def _check_one(world: World, attempt: Attempt, run: Run | None) -> Iterator[str]:
    name = f"attempt {attempt.attempt} of {attempt.key}"
    if run is None:
        if attempt.exit_code is not None or attempt.started_at is not None:
            yield f"{name} never ran and has {attempt}"
    elif run.ended_at is None:
        yield f"{name} still runs and has {attempt}"
    elif attempt.exit_code is None and run.exits and run.exit_code is None:
        return  # the container that decides never ran
    elif attempt.exit_code is None:
        was_replaced = attempt.stop_wanted is StopCause.HOST_TERMINATED  # which counts as lost, whatever its exit code
        if world.supervisor.incarnation == run.incarnation and not was_replaced:
            yield f"{name} exited with {run.exit_code}, and nobody took it in"
    elif (attempt.exit_code, attempt.started_at) != (run.exit_code, run.started_at):
        yield f"{name} ran {run} and has {attempt}"
