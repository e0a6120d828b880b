"""One truth each. A checker is shown the world after every commit and at the end, and yields a sentence for everything
it finds wrong. Those that speak of the end look only once the world has settled."""

from collections.abc import Callable, Iterator

from tests.simulation.checkers import (
    acknowledged,
    blocked,
    capacity,
    consumables,
    containers,
    dependents,
    endings,
    exit_codes,
    histories,
    invariants,
    launches,
    one_at_a_time,
    orders,
    outcomes,
    parallel,
    retries,
    shares,
)
from tests.simulation.world import World

Checker = Callable[[World], Iterator[str]]


def all_checkers() -> list[Checker]:
    """One of each, for one world."""
    return [
        invariants.check,
        endings.Endings(),
        acknowledged.check,
        launches.check,
        orders.check,
        one_at_a_time.check,
        exit_codes.check,
        containers.check,
        retries.check,
        dependents.check,
        histories.check,
        capacity.check,
        consumables.check,
        parallel.check,
        blocked.check,
        shares.check,
        outcomes.check,
    ]
