"""The rows of an attempt's containers are complete, and say of each what truly happened."""

from collections.abc import Iterator

from batchyard.core.ids import container_id
from batchyard.core.jobs import Attempt, StopCause
from batchyard.store.attempt_containers import AttemptContainer
from tests.simulation.ledger import Run
from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """After every commit."""
    runs = {run.attempt_id: run for run in world.ledger.runs}
    for key, attempts in world.records.attempts.items():
        number = world.reader.numbers_of_containers[key.seq]
        for attempt in attempts:
            rows = world.reader.containers.get(attempt.attempt_id, [])
            yield from _check_one(attempt, rows, number, runs.get(attempt.attempt_id))


def _check_one(attempt: Attempt, rows: list[AttemptContainer], number: int, run: Run | None) -> Iterator[str]:
    name = f"attempt {attempt.attempt} of {attempt.key}"
    has_begun = attempt.started_at is not None or attempt.stopped_at is not None
    ids = [container_id(attempt.attempt_id, position) for position in range(number)]
    if [row.log_id for row in rows] != (ids if has_begun and number > 1 else []):
        yield f"{name} with {number} containers has {rows}"
    if attempt.stopped_at is None:
        yield from (f"{name} runs and says {row}" for row in rows if (row.stopped_at, row.exit_code) != (None, None))
        return
    yield from (f"{name} has ended and says {row}" for row in rows if row.stopped_at is None)
    if number == 1 or run is None:
        return
    said = [(row.started_at, row.stopped_at, row.exit_code, row.reason) for row in rows]
    was_replaced = attempt.stop_wanted is StopCause.HOST_TERMINATED
    if attempt.exit_code is not None or (run.exits and run.exit_code is None and not was_replaced):
        if said != [(end.started_at, end.at, end.exit_code, end.reason) for end in run.exits]:
            yield f"{name} ended by {run.exits} and says {said}"
        if attempt.exit_code not in [row.exit_code for row in rows]:
            yield f"{name} ended with {attempt.exit_code}, and its containers with {said}"
    elif any(row.exit_code is not None for row in rows):
        yield f"{name} is lost, and its containers say {said}"
