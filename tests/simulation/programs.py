"""What the imaginary programs of jobs do. An attempt's fate is drawn from the seed, its job and its number alone, so it
does not depend on when, or how often, anything else happened."""

import random
from dataclasses import dataclass

from batchyard.executors.interface import Launch

NEVER = 1 << 50
"""A duration in milliseconds that no simulated run outlasts."""


@dataclass(frozen=True, slots=True)
class Program:
    """A kind of program: how long attempts take, in milliseconds, and how often and with which code they fail."""

    shortest_ms: int
    longest_ms: int
    failure_rate: float = 0.0
    exit_codes: tuple[int, ...] = (1,)
    reason: str | None = None
    obeys_sigterm: bool = True
    can_start: bool = True


PROGRAMS = {
    "true": Program(0, 3),
    "quick": Program(1, 25, 0.05),
    "steady": Program(40, 400, 0.1, (1, 2, 42)),
    "flaky": Program(5, 120, 0.5, (1, 3, 137)),
    "fails": Program(1, 60, 1.0, (1, 2, 137)),
    "hog": Program(20, 80, 0.6, (137,), "OutOfMemoryError: Container killed due to memory usage"),
    "long": Program(3_000, 50_000, 0.2),
    "hangs": Program(NEVER, NEVER),
    "stubborn": Program(NEVER, NEVER, obeys_sigterm=False),
    "missing": Program(0, 0, can_start=False),
}


@dataclass(frozen=True, slots=True)
class Fate:
    """What one attempt does if nobody disturbs it. `reason` is the executor's text for container.reason."""

    duration_ms: int
    exit_code: int
    reason: str | None
    obeys_sigterm: bool
    can_start: bool


def fate(seed: str, launch: Launch, position: int) -> Fate:
    """What a container of this attempt will do; its command names the program."""
    container = launch.containers[position]
    attempt = container.environment["AWS_BATCH_JOB_ATTEMPT"]
    which = f"/{position}" if position else ""
    program = PROGRAMS[container.command[0]]
    chance = random.Random(f"{seed}/{launch.job_id}/{attempt}{which}")
    fails = chance.random() < program.failure_rate
    return Fate(
        duration_ms=chance.randint(program.shortest_ms, program.longest_ms),
        exit_code=chance.choice(program.exit_codes) if fails else 0,
        reason=program.reason if fails else None,
        obeys_sigterm=program.obeys_sigterm,
        can_start=program.can_start,
    )
