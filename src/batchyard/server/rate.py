"""How many requests a caller may make: a bucket of tokens for each, which fills at a steady rate."""

from typing import NamedTuple


class _Bucket(NamedTuple):
    tokens: float
    filled_at: float


class Rates:
    """The buckets, one for each caller that the configuration names, so there are never many.

    A bucket holds what a second brings, at least one token: so much may come at once after a silence.
    """

    def __init__(self, requests_per_second: float) -> None:
        self._rate = requests_per_second
        self._size = max(1.0, requests_per_second)
        self._buckets: dict[str, _Bucket] = {}

    def take(self, caller: str, now: float) -> bool:
        """Whether the caller may make a request now, in seconds of a clock that never goes back."""
        bucket = self._buckets.get(caller) or _Bucket(self._size, now)
        tokens = min(self._size, bucket.tokens + (now - bucket.filled_at) * self._rate)
        is_allowed = tokens >= 1.0
        self._buckets[caller] = _Bucket(tokens - 1.0 if is_allowed else tokens, now)
        return is_allowed
