"""When the loop goes to sleep, everything that the rows want of the executor has been ordered."""

from collections.abc import Iterator

from batchyard.executors.interface import Launch, Stop
from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """After every turn that leaves nothing for the next one."""
    server = world.server
    if server is None or server.is_awake or server.has_failed or not server.executor.takes_orders:
        return
    ordered = server.executor.ordered
    for attempts in world.records.attempts.values():
        for attempt in attempts:
            if attempt.stopped_at is not None:
                continue
            if (Launch, attempt.attempt_id) not in ordered:
                yield f"nobody was asked to launch {attempt}"
            if attempt.stop_wanted and (Stop, attempt.attempt_id) not in ordered:
                yield f"nobody was asked to stop {attempt}"
