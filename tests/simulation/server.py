"""One life of the server: the real engine, the real operations and the real SQLite, between two crashes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batchyard.api.context import Context, Settings
from batchyard.api.operations import endpoint
from batchyard.core.access import Principal
from batchyard.core.refusals import Refusal
from batchyard.core.service_capacity import InstanceSize, InstanceSizes
from batchyard.engine.loop import Engine
from batchyard.engine.retention import Retention
from batchyard.executors import interface as x
from batchyard.store.database import Database
from batchyard.store.transaction import Transaction
from tests.simulation.clock import SeededIds, SimulatedClock
from tests.simulation.faults import Crash, DiskFull, Faults
from tests.simulation.link import SimulatedExecutor

if TYPE_CHECKING:
    from concurrent.futures import Future


class SimulatedDatabase(Database):
    """The real database, whose server may die around each commit, and whose disk may be full."""

    def __init__(self, file: Path, faults: Faults) -> None:
        super().__init__(f"sqlite:///{file}", synchronous="OFF")
        self._faults = faults

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """As the real one, with points of failure."""
        self._faults.may_crash("before the transaction")
        with super().write() as tx:
            yield tx
            self._faults.may_crash("before the commit")
            self._faults.may_fail("in the commit")
        self._faults.may_crash("after the commit, before the answers")

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """As the real one; the engine reads when it makes orders."""
        self._faults.may_crash("while making orders")
        with super().read() as tx:
            yield tx


@dataclass(slots=True)
class Call:
    """A request under way. `outcome` is the answer, the Refusal, or None while nobody knows."""

    operation: str
    request: dict[str, Any]
    future: "Future[Any]"
    outcome: Any = None


class Server:
    """An engine without its thread: the world decides when it turns, as its bell and its due times allow."""

    def __init__(
        self,
        file: Path,
        clock: SimulatedClock,
        ids: SeededIds,
        faults: Faults,
        capacity: x.Capacity,
        retention: Retention | None = None,
    ) -> None:
        self.executor = SimulatedExecutor(faults)
        self.calls: list[Call] = []
        self.has_failed = False
        """Whether the last turn failed: what it was given waits for the next."""
        self._clock = clock
        self._faults = faults
        self.settings = Settings(training_instances=InstanceSizes(InstanceSize(1.0, 300)))
        self._database = SimulatedDatabase(file, faults)
        self._has_rung = True
        self._due_at: int | None = None
        self.engine = Engine(self._database, self.executor, capacity, clock=clock, ids=ids, retention=retention)
        self.engine.prepare()

    def call(self, operation: str, request: dict[str, Any]) -> Call:
        """A client's request reaches the engine."""
        found = endpoint(f"batch.{operation}")
        future = self.engine.call(
            lambda tx: found.function(self.context(tx), request), changes_resources=found.changes_resources
        )
        call = Call(operation, request, future)
        self.calls.append(call)
        self._has_rung = True
        return call

    def read(self, operation: str, request: dict[str, Any]) -> Any:
        """A client's question."""
        with Database.read(self._database) as tx:
            return endpoint(f"batch.{operation}").function(self.context(tx), request)

    def context(self, tx: Transaction, principal: Principal | None = None) -> Context:
        """The context of one call."""
        ids, terms = self.engine.ids, self.engine.terms
        return Context(tx, self._clock.now(), "us-east-1", self.settings, ids, terms, principal)

    # ---------------------------------------------------------------------------------------------------- the loop

    def ring(self) -> None:
        """A message came."""
        self._has_rung = True

    @property
    def is_awake(self) -> bool:
        """Whether the loop's thread would run now."""
        return self._has_rung or (self._due_at is not None and self._due_at <= self._clock.now())

    @property
    def due_at(self) -> int | None:
        """When the loop's thread will run by itself."""
        return self._clock.now() if self._has_rung else self._due_at

    def step(self) -> list[Call]:
        """One turn; returns the calls that have been answered. Raises Crash if the server dies in it."""
        self._has_rung = False
        self._due_at = None
        failures = self._faults.hits.total()
        seconds = self.engine.step()
        if seconds is not None:
            self._due_at = int(self._clock.now()) + max(0, round(seconds * 1000))
        self.has_failed = self._faults.hits.total() > failures
        answered = [call for call in self.calls if call.future.done()]
        self.calls = [call for call in self.calls if not call.future.done()]
        for call in answered:
            call.outcome = _outcome(call.future)
        return [call for call in answered if call.outcome is not None]

    def die(self) -> None:
        """Be killed: SQLite undoes what was not committed."""
        self._database.close()


def _outcome(future: "Future[Any]") -> Any:
    """The answer or the Refusal; None for an answer that the client would not understand as either."""
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, Refusal):
        return error
    if isinstance(error, (Crash, DiskFull)):
        return None
    raise error
