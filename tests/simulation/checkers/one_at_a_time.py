"""A job never has two attempts running at once, and they run in the order of their numbers."""

from collections.abc import Iterator
from itertools import pairwise

from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """By the processes that truly ran."""
    for name, runs in world.ledger.by_job().items():
        for before, after in pairwise(runs):
            if before.ended_at is None or after.started_at < before.ended_at:
                yield f"attempts {before.number} and {after.number} of {name} ran at once"
            if before.number >= after.number:
                yield f"attempt {after.number} of {name} ran after attempt {before.number}"
