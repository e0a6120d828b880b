"""A few seeds of the simulation in every run of the tests; `make sim` runs a thousand."""

import pytest

from tests.simulation.simulation import simulate

SEEDS = range(30)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_ever_wrong_and_all_ends(seed: int) -> None:
    result = simulate(seed)
    assert result.failure is None, f"replay with: python -m tests.simulation.run --seed {seed}"


def test_a_seed_tells_the_same_story_every_time() -> None:
    first, second = simulate("twice"), simulate("twice")
    assert first == second
    assert first.runs > 10


def test_the_faults_happen() -> None:
    hits = sum((simulate(f"faults {number}").hits for number in range(4)), start=simulate("faults").hits)
    assert {"before the commit", "after the commit, before the answers", "in the commit"} <= hits.keys()
