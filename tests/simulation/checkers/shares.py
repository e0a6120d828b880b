"""What a share has used is what its ended attempts used, however often the server was killed; none runs unpaid."""

import math
from collections.abc import Iterator

from batchyard.core.fair_share import fair_share_policy, ran
from tests.simulation.workload import SHARED, WINDOW_SECONDS
from tests.simulation.world import World

_POLICY = fair_share_policy({"shareDecaySeconds": WINDOW_SECONDS})


def check(world: World) -> Iterator[str]:
    """After every commit: the rows of shares against those of attempts."""
    reader = world.reader
    used: dict[tuple[int, str], float] = {}
    for made in world.records.attempts.values():
        for attempt in made:
            share = reader.shares.get(attempt.key.seq)
            if share is None or reader.queues.get(share[0]) != SHARED or attempt.stopped_at is None:
                continue
            usage = reader.usages.get(share)
            if usage is not None and attempt.started_at is not None:
                counted = ran(attempt.vcpus, attempt.started_at, attempt.stopped_at, _POLICY, usage.at)
                used[share] = used.get(share, 0.0) + counted
            elif attempt.started_at is not None:
                yield f"{attempt} has used up nothing of its share"
    for share, usage in reader.usages.items():
        if reader.queues.get(share[0]) != SHARED:
            yield f"{share} of a queue that is gone, or has no shares, is charged with {usage}"
        elif not math.isclose(usage.vcpu_seconds, used.get(share, 0.0), rel_tol=1e-6, abs_tol=1e-6):
            yield f"{share} is charged with {usage}, and its attempts have used {used.get(share, 0.0)}"
