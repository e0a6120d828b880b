"""P10: what a job costs the engine with a million children waiting in queues with fair share, against a thousand.

A hundred arrays in five queues, of four shares each; the engine alone, with an executor that ends everything at once,
so that nothing but placement and records is measured. CPU, since the two take turns on a machine with other guests.
"""

from benchmarks.engine_alone import EngineAlone
from benchmarks.figures import Figure, Result, in_turns, median, ratio

QUEUES = 5
WITHIN = 0.10


def measure(*, quick: bool) -> Result:
    """900 jobs in seven rounds; in three when quick."""
    rounds = 3 if quick else 7
    found = in_turns(rounds, {"few": lambda: _cost(1_000), "many": lambda: _cost(1_000_000)})
    against = ratio(found["many"], found["few"])
    return Result(
        number="P10",
        title="CPU of the engine a job, 1,000,000 children waiting in five fair-share queues, to 1,000",
        target="at most 1.1 x",
        outcome=f"{against:.2f} x",
        holds=against <= 1 + WITHIN,
        figures=[
            Figure("a thousand waiting", median(found["few"]) / 1000, "ms/job"),
            Figure("a million waiting", median(found["many"]) / 1000, "ms/job"),
        ],
    )


def _cost(queued: int) -> float:
    with EngineAlone() as alone:
        alone.submit_shared(QUEUES, queued)
        return alone.run(900).cpu
