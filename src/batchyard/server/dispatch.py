"""From the HTTP edge to the operations: writes go through the engine's thread, reads through threads of their own.

An operation that writes is answered when its transaction is on disk. One that reads sees the last committed state.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from batchyard.api import access
from batchyard.api.context import Answer, Context, Settings
from batchyard.api.operations import Endpoint, endpoint
from batchyard.core.access import Principal
from batchyard.engine.clock import Clock
from batchyard.engine.loop import Call, Engine
from batchyard.server.app import RequestContext
from batchyard.server.request_log import request_id
from batchyard.store.database import Database
from batchyard.store.transaction import Transaction
from batchyard.wire.model import Operation

READERS = 4

T = TypeVar("T")


class OperationDispatch:
    """Carries operations out (see `server.app.Dispatch`)."""

    def __init__(self, database: Database, engine: Engine, clock: Clock, settings: Settings) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._settings = settings
        self._readers = ThreadPoolExecutor(READERS, "reader")
        self._endpoints: dict[Operation, Endpoint] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unposted: list[Call] = []

    async def __call__(
        self, operation: Operation, request: dict[str, Any], context: RequestContext
    ) -> Mapping[str, Any]:
        """The members of the operation's output. Raises what the operation raises."""
        found = self._endpoints.get(operation)
        if found is None:
            found = self._endpoints[operation] = endpoint(f"{operation.service}.{operation.name}")
        carry_out = partial(self._carry_out, operation, found, request, context)
        loop = asyncio.get_running_loop()
        if not found.writes:
            return await loop.run_in_executor(self._readers, self._read, carry_out)
        future: asyncio.Future[Mapping[str, Any]] = loop.create_future()
        if self._loop is not loop:
            self._loop = loop
            self._engine.deliver = lambda settlements: self._deliver(loop, settlements)
        self._post(loop, Call(carry_out, partial(_settle, future), found.changes_resources))
        return await future

    def _post(self, loop: asyncio.AbstractEventLoop, call: Call) -> None:
        """Hand the request over with all others of this round of the event loop, so that one commit carries them."""
        if not self._unposted:
            loop.call_soon(self._post_all)
        self._unposted.append(call)

    def _post_all(self) -> None:
        calls, self._unposted = self._unposted, []
        try:
            self._engine.post(calls)
        except RuntimeError as error:  # The engine is stopping.
            for call in calls:
                call.settle(None, error)

    async def read(self, look: Callable[[Transaction], T]) -> T:
        """What `look` finds in the last commit. Raises what it raises."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, look)

    @staticmethod
    def _deliver(loop: asyncio.AbstractEventLoop, settlements: Sequence[Callable[[], None]]) -> None:
        """Have the event loop settle the requests of one transaction, waking it once."""

        def settle_all() -> None:
            for settlement in settlements:
                settlement()

        with contextlib.suppress(RuntimeError):  # The loop has ended, and with it whoever waited.
            loop.call_soon_threadsafe(settle_all)

    def _read(self, look: Callable[[Transaction], T]) -> T:
        with self._database.read() as tx:
            return look(tx)

    def _carry_out(
        self, operation: Operation, found: Endpoint, request: dict[str, Any], asked: RequestContext, tx: Transaction
    ) -> Answer:
        """On the engine's thread or a reader's, where log lines are to name the request as well."""
        token = request_id.set(asked.request_id)
        try:
            context = self.context(tx, asked.region, asked.principal)
            if asked.principal is None:
                return found.function(context, request)
            return access.carry_out(f"{operation.service}.{operation.name}", found.function, context, request)
        finally:
            request_id.reset(token)

    def context(self, tx: Transaction, region: str, principal: Principal | None = None) -> Context:
        """The context of one call in `tx`."""
        return Context(
            tx=tx,
            now=self._clock.now(),
            region=region,
            settings=self._settings,
            ids=self._engine.ids,
            terms=self._engine.terms,
            principal=principal,
        )

    def close(self) -> None:
        """Wait for reads under way."""
        self._readers.shutdown()


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Answer whoever still waits: a client that has gone away has cancelled its future."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
