"""Whatever happens to the world, every job can be explained, and what is said is what the scheduler has just done."""

from collections import Counter
from pathlib import Path

import pytest

from batchyard.api.explanations.explain_job import explain_job
from batchyard.store.database import Database
from tests.simulation.world import World

EVERY = 5
NEWEST = 12


@pytest.mark.parametrize("seed", ["why 1", "why 2", "why 3", "why 4"])
def test_after_a_commit_nobody_is_about_to_be_placed(seed: str, tmp_path: Path) -> None:
    """For the tick that was committed would have placed them. A cause that is wrong would often be this one."""
    said: Counter[str] = Counter()
    commits = Counter[str]()

    def look(world: World) -> None:
        commits["seen"] += 1
        if world.server is None or commits["seen"] % EVERY:
            return
        with Database.read(world.database) as tx:
            context, outlook = world.server.context(tx), world.server.engine.outlook
            for job_id in list(world.reader.numbers)[-NEWEST:]:
                found = explain_job(context, outlook, job_id)
                assert found is not None
                assert found["status"] == world.job(job_id).status
                said[found["cause"]] += 1

    world = World(seed, tmp_path)
    try:
        world.run([look])
    finally:
        world.close()
    assert said["ABOUT_TO_BE_PLACED"] == 0
    assert said["SUCCEEDED"] > 0
    assert len(said) > 5
