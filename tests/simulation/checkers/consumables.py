"""Consumable resources are never oversold, and what is used up is what was begun."""

from collections.abc import Iterator

from batchyard.core.jobs import Attempt
from tests.simulation.workload import BUDGET, PERMITS
from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """After every commit, by the rows; at the end, by the processes that truly ran together."""
    attempts = [attempt for made in world.records.attempts.values() for attempt in made]
    held = _need(world, "permits", [attempt for attempt in attempts if attempt.stopped_at is None])
    if held > PERMITS:
        yield f"{held} permits are held of {PERMITS}"
    if not world.reader.quantities:
        return  # the server has not been asked for any yet
    used_up, left = _need(world, "budget", attempts), world.reader.quantities.get("budget")
    if left is not None and left != BUDGET - used_up:
        yield f"{left} of the budget are left, and attempts have used up {used_up}"
    if world.is_settled:
        yield from _check_runs(world)


def _need(world: World, resource: str, attempts: list[Attempt]) -> int:
    return sum(world.reader.needs.get(attempt.key.seq, {}).get(resource, 0) for attempt in attempts)


def _check_runs(world: World) -> Iterator[str]:
    """What ran together never needed more permits than there are."""
    needs = {}
    for run in world.ledger.runs:
        key = world.key(run.job_id)
        needs[run.job_id] = 0 if key is None else world.reader.needs.get(key.seq, {}).get("permits", 0)
    for position, run in enumerate(world.ledger.runs):
        if not needs[run.job_id]:
            continue
        before = world.ledger.runs[:position]
        together = [run, *(r for r in before if r.ended_at is None or r.ended_at > run.started_at)]
        if sum(needs[each.job_id] for each in together) > PERMITS:
            yield f"at {run.started_at} more permits were needed than there are: {together}"
