"""How long attempts of a definition have lasted lately, and so how many may be placed ahead of free slots.

With jobs of a millisecond, a slot that waited for each commit would idle most of the time. So a few attempts wait at
the executor: enough to bridge `BRIDGE_MS`, never more, and none for definitions that are long or unknown; priority and
fairness are mortgaged for a tenth of a second at most. This is a hint kept in memory; losing it costs a moment's speed.
"""

import math

BRIDGE_MS = 100.0
"""How long the attempts placed ahead keep the slots busy."""

SHORT_MS = 50.0
"""Longer attempts than this are never placed ahead: the wait for a commit is lost in them."""

AHEAD_MAX = 256

_WEIGHT = 0.2
_SHORTEST_MS = 1.0
_REMEMBERED = 4096


class Pace:
    """Moving averages of attempt durations, by job definition."""

    def __init__(self) -> None:
        self._mean_ms: dict[int, float] = {}

    def note(self, definition_id: int, duration_ms: float) -> None:
        """An attempt of this definition lasted so long."""
        mean = self._mean_ms.pop(definition_id, duration_ms)
        self._mean_ms[definition_id] = mean + _WEIGHT * (max(duration_ms, _SHORTEST_MS) - mean)
        if len(self._mean_ms) > _REMEMBERED:
            del self._mean_ms[next(iter(self._mean_ms))]

    def forget(self, definition_id: int) -> None:
        """The average was wrong: place nothing ahead until it has been learned anew."""
        self._mean_ms[definition_id] = 100 * SHORT_MS

    def expected_seconds(self, definition_id: int) -> float:
        """How long an attempt of this definition takes; endless where that is not known."""
        mean_ms = self._mean_ms.get(definition_id)
        return math.inf if mean_ms is None else mean_ms / 1000

    def ahead(self, definition_id: int, slots: int) -> int:
        """How many attempts may wait for `slots` slots."""
        mean_ms = self._mean_ms.get(definition_id)
        if mean_ms is None or mean_ms > SHORT_MS:
            return 0
        return min(AHEAD_MAX, math.ceil(BRIDGE_MS / max(mean_ms, _SHORTEST_MS)) * max(1, slots))
