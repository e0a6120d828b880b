"""One seed, from the empty yard to the last sentence of every checker."""

import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.checkers import Checker, all_checkers
from tests.simulation.world import Violation, World


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a seed. `failure` is None when all is well."""

    seed: str
    failure: str | None
    trace: list[str]
    hits: Counter[str]
    jobs: int
    runs: int


def simulate(seed: int | str, change: Callable[[World], None] | None = None) -> Result:
    """Run one seed. `change` may tamper with the world first, to prove that somebody notices."""
    with tempfile.TemporaryDirectory(prefix="batchyard-", dir=_fast_folder()) as folder:
        world = World(str(seed), Path(folder))
        if change is not None:
            change(world)
        failure = None
        try:
            world.run([_watch(checker) for checker in all_checkers()])
        except Violation as violation:
            failure = str(violation)
        except Exception as error:  # a checker or the engine's own assertion
            failure = f"{type(error).__name__}: {error}"
        finally:
            world.close()
    runs = len(world.ledger.runs)
    return Result(str(seed), failure, world.trace, world.faults.hits, len(world.client.submitted), runs)


def _watch(checker: Checker) -> Callable[[World], None]:
    def watch(world: World) -> None:
        for sentence in checker(world):
            raise Violation(f"{checker.__module__.rpartition('.')[2]}: {sentence}")

    return watch


def _fast_folder() -> str | None:
    """Memory, where there is some: what is killed here is the process, not the machine."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
