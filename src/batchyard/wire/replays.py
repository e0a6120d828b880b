"""Signatures that were seen, so that a request that was overheard cannot be made again.

A signature is valid for five minutes, and the signature says nothing about which of two equal requests it belongs to:
a client that makes the same call twice within a second signs both alike. So a signature may come again for a few
seconds after it was first seen, and never after that. What is remembered is bounded: when there is too much of it, the
oldest seconds are forgotten and nothing that was signed in them is taken any longer.
"""

from batchyard.wire import faults
from batchyard.wire.model import ServiceName
from batchyard.wire.sigv4 import SKEW_SECONDS_MAX, Signed, expired

AGAIN_SECONDS = 10.0
"""How long after it was first seen a signature may come again: equal calls of one second, resent by a slow network."""

REMEMBERED_MAX = 200_000
"""Signatures that are remembered, some 30 MB."""


class Replays:
    """The memory; not for more than one thread."""

    def __init__(self, remembered_max: int = REMEMBERED_MAX) -> None:
        self._max = remembered_max
        self._count = 0
        self._forgotten_before = 0
        self._by_second: dict[int, dict[bytes, float]] = {}

    def admit(self, service: ServiceName, signed: Signed, now: float) -> None:
        """Remember a signature that was verified. Raises InvalidSignatureException for one that is too old or was seen.

        now is in seconds since 1970. A presigned URL that may be older than five minutes is too old here.
        """
        if signed.signed_at < max(int(now) - SKEW_SECONDS_MAX, self._forgotten_before):
            raise expired(service, signed.signed_at, now)
        of_second = self._by_second.get(signed.signed_at)
        if of_second is None:
            self._forget(int(now) - SKEW_SECONDS_MAX)
            of_second = self._by_second[signed.signed_at] = {}
        signature = bytes.fromhex(signed.signature)
        first_seen = of_second.get(signature)
        if first_seen is None:
            of_second[signature] = now
            self._count += 1
            while self._count > self._max:
                self._forget(min(self._by_second) + 1)
        elif now - first_seen > AGAIN_SECONDS:
            raise faults.invalid_signature(service, "The request was made before; sign it anew to make it again.")

    def _forget(self, before: int) -> None:
        for second in [second for second in self._by_second if second < before]:
            self._count -= len(self._by_second.pop(second))
        self._forgotten_before = max(self._forgotten_before, before)
