"""Who is let in: signatures, replays and rates, before a request is even parsed.

What someone who is let in may do is decided where it is done (`api.access`).
"""

import logging
import time
from collections.abc import Callable, Sequence

from batchyard.core import access
from batchyard.core.access import Principal, Role
from batchyard.server.access_keys import AccessKey
from batchyard.server.rate import Rates
from batchyard.wire import faults, sigv4
from batchyard.wire.faults import Fault
from batchyard.wire.model import Operation
from batchyard.wire.replays import Replays
from batchyard.wire.sigv4 import Received

_log = logging.getLogger(__name__)

_EVERYONE = "everyone"


class Gate:
    """The door for one server; its methods belong to the event loop's thread.

    keys: who may call; without any, everyone may, and the rate is that of all together, since nobody is known.
    requests_per_second: of one caller, None for no bound. clock: seconds since 1970.
    """

    def __init__(
        self,
        keys: Sequence[AccessKey],
        requests_per_second: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = {each.access_key_id: each.key for each in keys}
        self._principals = {each.access_key_id: each.principal for each in keys}
        self._rates = None if requests_per_second is None else Rates(requests_per_second)
        self._replays = Replays()
        self._clock = clock

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to ask a caller."""
        return bool(self._keys) or self._rates is not None

    def admit(self, operation: Operation, received: Received) -> Principal | None:
        """Who calls this operation; None where nobody is asked. Raises a Fault for who is not let in."""
        needed = access.needed_role(f"{operation.service}.{operation.name}")
        return self.verify(received, may_change=needed is not Role.READ)

    def verify(self, received: Received, *, may_change: bool) -> Principal | None:
        """Who makes this request; the same request may not be made again later if it may change something."""
        principal = None
        if self._keys:
            try:
                principal = self._known(received, may_change)
            except Fault as fault:
                claimed = sigv4.caller(received.headers.get("authorization"), received.query).access_key_id
                _log.warning("refused access key %s: %s", claimed, fault.code)
                raise
        if self._rates is not None:
            caller = _EVERYONE if principal is None else principal.name
            if not self._rates.take(caller, time.monotonic()):
                raise faults.too_many_requests(received.service)
        return principal

    def _known(self, received: Received, may_change: bool) -> Principal:
        now = self._clock()
        signed = sigv4.verify(received, self._keys, now)
        if may_change:
            self._replays.admit(received.service, signed, now)
        return self._principals[signed.access_key_id]
