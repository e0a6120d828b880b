"""The rows are sound after every commit (`batchyard.core.invariants`)."""

from collections.abc import Iterator

from batchyard.core.invariants import broken
from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """All of them."""
    yield from broken(world.records)
