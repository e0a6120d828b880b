"""When the head of a queue will have room: what a job that would pass it has to end before.

Backfill as in EASY schedulers: jobs may use the room that is kept for a blocked one until it can start. Timeouts are
all that is known of how long jobs last, so this counts as if everything that runs used up its own. What has no timeout
is taken to run for ever: where the head needs its room, nobody can say when it will start, and nobody passes it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from batchyard.core.placement import Room

LOOK_AHEAD = 64
"""How many jobs behind the head one plan looks at."""


class Ending(NamedTuple):
    """What an active attempt gives back of the machine and of its compute environment, by name, and in how many
    seconds its timeout ends it; None if it has none."""

    room: "Room"
    environment: str
    within: float | None


def seconds_until_room(
    need: "Room",
    environments: Collection[str],
    free: "Room",
    free_vcpus: Mapping[str, float],
    endings: Iterable[Ending],
) -> float | None:
    """In how many seconds `need` fits the machine and one of these compute environments, if every ending happens as
    late as it may; None if nobody can say. `free` and `free_vcpus` are what there is now."""
    left = dict(free_vcpus)
    known = [(ending.within, ending) for ending in endings if ending.within is not None]
    for within, ending in sorted(known, key=lambda pair: pair[0]):
        free = free.less(ending.room, -1)
        left[ending.environment] = left.get(ending.environment, 0.0) + ending.room.vcpus
        if free.fits(need) and any(left[name] + 1e-9 >= need.vcpus for name in environments):
            return within
    return None
