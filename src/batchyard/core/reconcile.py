"""What the world owes us: the difference between what the rows say should run and what the executor holds.

Nothing is ever launched from memory. An attempt is launched because a row says that it is active and the executor does
not hold it; it is stopped because its row wants that, or because no row knows it. So a crash between deciding and
doing loses nothing: the next comparison finds the same difference. Two sentences follow and are tested: comparing a
settled world yields nothing, and doing any of this twice changes nothing.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from batchyard.core.ids import AttemptId
from batchyard.core.jobs import Attempt


@dataclass(frozen=True, slots=True)
class Differences:
    """launches: active attempts that the executor has never accepted. stops: attempts whose rows want them ended.
    strangers: attempts that the executor holds and no row expects."""

    launches: tuple[Attempt, ...]
    stops: tuple[Attempt, ...]
    strangers: tuple[AttemptId, ...]


def compare(
    expected: Iterable[Attempt], held: Collection[AttemptId], being_stopped: Collection[AttemptId]
) -> Differences:
    """Compare active attempts with what the executor holds (observed, or handed to it since).

    being_stopped: attempts that it has been told to stop on this connection. An attempt that is to be stopped and was
    never launched is launched and stopped at once, so that its end is reported by the one who would have run it.
    """
    active = list(expected)
    launches = tuple(attempt for attempt in active if attempt.attempt_id not in held)
    stops = tuple(a for a in active if a.stop_wanted is not None and a.attempt_id not in being_stopped)
    known = {attempt.attempt_id for attempt in active}
    strangers = tuple(sorted(attempt_id for attempt_id in held if attempt_id not in known))
    return Differences(launches, stops, strangers)
