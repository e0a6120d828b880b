"""From the HTTP edge to the operations: writes go through the engine's thread, reads through threads of their own.

An operation that writes is answered when its transaction is on disk. One that reads sees the last committed state.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from batchyard.api.context import Context, Settings
from batchyard.api.operations import Endpoint, endpoint
from batchyard.engine.clock import Clock
from batchyard.engine.loop import Engine
from batchyard.server.app import RequestContext
from batchyard.store.database import Database
from batchyard.store.transaction import Transaction
from batchyard.wire.model import Operation

READERS = 4


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

    async def __call__(
        self, operation: Operation, request: dict[str, Any], context: RequestContext
    ) -> Mapping[str, Any]:
        """The members of the operation's output. Raises what the operation raises."""
        found = self._endpoints.get(operation)
        if found is None:
            found = self._endpoints[operation] = endpoint(f"{operation.service}.{operation.name}")
        loop = asyncio.get_running_loop()
        if not found.writes:
            return await loop.run_in_executor(self._readers, self._read, found, request, context.region)
        future: asyncio.Future[Mapping[str, Any]] = loop.create_future()
        if self._loop is not loop:
            self._loop = loop
            self._engine.deliver = lambda settlements: self._deliver(loop, settlements)
        self._engine.post(
            lambda tx: found.function(self.context(tx, context.region), request),
            lambda result, error: _settle(future, result, error),
            changes_resources=found.changes_resources,
        )
        return await future

    @staticmethod
    def _deliver(loop: asyncio.AbstractEventLoop, settlements: Sequence[Callable[[], None]]) -> None:
        """Have the event loop settle the requests of one transaction, waking it once."""

        def settle_all() -> None:
            for settlement in settlements:
                settlement()

        with contextlib.suppress(RuntimeError):  # The loop has ended, and with it whoever waited.
            loop.call_soon_threadsafe(settle_all)

    def _read(self, found: Endpoint, request: dict[str, Any], region: str) -> Mapping[str, Any]:
        with self._database.read() as tx:
            return found.function(self.context(tx, region), request)

    def context(self, tx: Transaction, region: str) -> Context:
        """The context of one call in `tx`."""
        return Context(
            tx=tx,
            now=self._clock.now(),
            region=region,
            settings=self._settings,
            ids=self._engine.ids,
            terms=self._engine.terms,
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
