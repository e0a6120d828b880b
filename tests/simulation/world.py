"""The world: a server, a supervisor, clients, a clock, and a seed that decides which of them acts next.

First *safety*: everybody acts in any order, servers and supervisors are killed, connections break, disks are full, and
after every commit nothing may be wrong. Then *liveness*: the faults stop, and everything must come to its end.
"""

import logging
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from batchyard.core.arrays import child_job
from batchyard.core.jobs import Attempt, Job, JobKey
from batchyard.executors.interface import Capacity
from batchyard.store.database import Database
from tests.simulation.clock import SeededIds, SimulatedClock
from tests.simulation.faults import Crash, DiskFull, Faults
from tests.simulation.ledger import Ledger
from tests.simulation.link import Connection
from tests.simulation.records import RecordsReader
from tests.simulation.server import Call, Server
from tests.simulation.supervisor import Supervisor
from tests.simulation.workload import Client

if TYPE_CHECKING:
    from batchyard.core.invariants import Records
    from batchyard.engine.retention import Retention

CAPACITY = Capacity(vcpus=6, memory_mib=2000)
_TURNS = 400
_LAST_TURNS = 20_000


class Violation(Exception):
    """Something was wrong. Carries the sentence; the seed is added by whoever ran the world."""


class Stuck(Violation):
    """The faults have stopped, and something does not come to its end."""


class World:
    """One seed's world. `look` is called after every commit and at the end, with what the rows say then."""

    def __init__(self, seed: str, folder: Path, *, crash_rate: float = 0.02, failure_rate: float = 0.02) -> None:
        self.seed = seed
        self.random = random.Random(f"{seed} world")
        self.clock = SimulatedClock()
        self.ledger = Ledger()
        self.faults = Faults(f"{seed} faults", crash_rate, failure_rate)
        self.client = Client(seed)
        self.supervisor = Supervisor(seed, self.ledger, self.clock.now)
        self.trace: list[str] = []
        self.errors: list[str] = []
        self.is_settled = False
        self.retention: Callable[[], Retention | None] = lambda: None
        """Makes that of each server; None keeps everything."""
        self.patience_ms = 1 << 40
        """What is due later is not waited for when everything is to come to rest."""
        self._ids = SeededIds(f"{seed} ids")
        self._file = folder / "yard.sqlite3"
        self._file.write_bytes(empty_database())
        self.database = Database(f"sqlite:///{self._file}", synchronous="OFF")
        self._reader = RecordsReader()
        self._watchers: list[Callable[[World], None]] = []
        self.server: Server | None = None
        self.records: Records

    # ------------------------------------------------------------------------------------------------- the two phases

    def run(self, watchers: list[Callable[["World"], None]]) -> None:
        """Live through both phases. Raises Violation."""
        self._watchers = watchers
        with self._engine_errors():
            self.begin()
            for turns in self._bursts():
                self.faults.is_on = True
                for _ in range(turns):
                    self._act()
                self.faults.is_on = False
                self.live_on()
            self._come_to_an_end()
        self.look()

    def _bursts(self) -> list[int]:
        """After how many turns the world is given a rest: many worlds are busy throughout, some rest often."""
        rests = sorted(self.random.sample(range(1, _TURNS), self.random.choice((0, 1, 6))))
        return [end - start for start, end in pairwise([0, *rests, _TURNS])]

    def look(self) -> None:
        """Read the rows and show them to the watchers."""
        if self.errors:
            raise Violation(f"the engine raised: {self.errors[0]}")
        with self.database.read() as tx:
            self.records = self._reader.read(tx)
        for watch in self._watchers:
            watch(self)

    def key(self, name: str) -> JobKey | None:
        """The key of a job or child that clients call `name`, or None if no row knows it."""
        job_id, _, index = name.partition(":")
        number = self._reader.numbers.get(job_id)
        return None if number is None else JobKey(number, int(index) if index else None)

    @property
    def reader(self) -> RecordsReader:
        """What was read last besides the records."""
        return self._reader

    def job(self, name: str) -> Job:
        """A job or child, as the rows say now."""
        key = self.key(name)
        assert key is not None, f"{name} is unknown"
        if key.array_index is None:
            return self.records.jobs[key.seq]
        row = self.records.child_rows.get(key)
        if row is not None:
            return row
        segment = self.records.children[key.seq].segment_of(key.array_index)
        assert segment is not None, f"{name} is nowhere"
        return child_job(key.seq, self.records.jobs[key.seq], segment, key.array_index)

    def attempts(self, name: str) -> Sequence[Attempt]:
        """Its attempts, as the rows say now."""
        key = self.key(name)
        return () if key is None else self.records.attempts.get(key, ())

    def begin(self) -> None:
        """A server, compute environments, queues and definitions."""
        self.start_server()
        for operation, request in self.client.first_requests():
            self.ask(operation, request)
        while self._step_is_due():
            self._step()

    def _come_to_an_end(self) -> None:
        """Open what is closed, give everything its time; then everything must have ended."""
        for operation, request in self.client.last_requests():
            self.ask(operation, request)
        self.live_on()
        while misfits := self._misfits():  # others of them may have waited for their end
            for name in misfits:
                self.ask("TerminateJob", {"jobId": name, "reason": "can never run"})
            self.live_on()
        self.is_settled = True

    def live_on(self) -> None:
        """Act, without faults, until nobody has anything left to do."""
        for _ in range(_LAST_TURNS):
            if not self._act_orderly():
                self._nudge()
                return
        raise Stuck("nobody comes to rest")

    def _nudge(self) -> None:
        """Who rests must have nothing left to do: a turn of the loop for no reason finds nothing."""
        assert self.server is not None
        assert self.server.executor.connection is not None
        before = (self.records.jobs, self.records.child_rows, self.records.attempts)
        self.server.ring()
        self._step()
        if before != (self.records.jobs, self.records.child_rows, self.records.attempts):
            raise Stuck("the loop slept though rows were to change")
        if self.server.executor.connection.to_supervisor:
            raise Stuck(f"the loop slept and owed {list(self.server.executor.connection.to_supervisor)}")

    def _misfits(self) -> list[str]:
        """Jobs that say that they can never run."""
        reasons = {name: self.job(name).status_reason or "" for name in self._reader.numbers}
        return [name for name, reason in reasons.items() if reason.startswith("MISCONFIGURATION:")]

    # --------------------------------------------------------------------------------------------------- who acts next

    def _act(self) -> None:
        """One of those who can do something does it."""
        weighted = list(self._possible())
        action = self.random.choices([action for _, action in weighted], [weight for weight, _ in weighted])[0]
        try:
            action()
        except Crash as crash:
            self.kill_server(str(crash))

    def _possible(self) -> Iterator[tuple[float, Callable[[], None]]]:
        yield 12, self._let_time_pass
        yield 0.15, self.kill_supervisor
        if self.supervisor.has_unwritten:
            yield 20, self._flush
        if self.server is None:
            yield 10, self.start_server
            return
        yield 12, self._ask_something
        yield 0.3, lambda: self.kill_server("at rest")
        if self._step_is_due():
            yield 40, self._step
        connection = self.server.executor.connection
        if connection is None:
            yield 15, self._connect
            return
        yield 0.3, self._break_connection
        if not connection.is_observed:
            yield 15, connection.observe
        if connection.to_server:
            yield 40, self._deliver_message
        if connection.to_supervisor:
            yield 40, self._deliver_frame

    def come_to_rest(self) -> None:
        """Act, without faults, until there is nothing left to do at this time."""
        while self._act_orderly(time_passes=False):
            pass

    def _act_orderly(self, *, time_passes: bool = True) -> bool:
        """Whoever is next does it; returns whether there was anybody."""
        if self.server is None:
            self.start_server()
        elif self.server.executor.connection is None:
            self._connect()
        elif not (connection := self.server.executor.connection).is_observed:
            connection.observe()
        elif connection.to_server:
            self._deliver_message()
        elif connection.to_supervisor:
            self._deliver_frame()
        elif self.supervisor.has_unwritten:
            self._flush()
        elif self._step_is_due():
            self._step()
        else:
            return time_passes and self._pass_to_next_event()
        return True

    # ------------------------------------------------------------------------------------------------------- actions

    def start_server(self) -> None:
        """A server starts, or dies in the attempt."""
        self.note("a server starts")
        try:
            self.server = Server(self._file, self.clock, self._ids, self.faults, CAPACITY, self.retention())
        except (Crash, DiskFull) as end:
            self.note(f"and dies while starting, {end}")

    def kill_server(self, where: str) -> None:
        """What it had sent may still arrive, as what is in a socket's buffer does."""
        if self.server is None:
            return
        self.note(f"the server dies {where}")
        self.server.die()
        self._end_connection(self.server.executor.connection)
        self.server = None
        self.look()

    def _end_connection(self, connection: Connection | None) -> None:
        if connection is None:
            return
        if self.supervisor.talk is not None:
            for _ in range(self.random.randint(0, len(connection.to_supervisor))):
                connection.deliver_frame()
        self.supervisor.talk = None

    def _step_is_due(self) -> bool:
        return self.server is not None and self.server.is_awake

    def _step(self) -> None:
        assert self.server is not None
        for call in self.server.step():
            self.note(f"{call.operation} {call.request} is answered {call.outcome!r}")
            self.client.told(call.operation, call.request, call.outcome)
        self.look()

    def _ask_something(self) -> None:
        wanted = self.client.next_request()
        if wanted is not None:
            self.ask(*wanted)

    def ask(self, operation: str, request: dict[str, object]) -> Call:
        """A request reaches the server; it is answered by its next step."""
        assert self.server is not None
        return self.server.call(operation, request)

    def _connect(self) -> None:
        assert self.server is not None
        if not self.supervisor.is_alive:
            self.supervisor.start()
            self.note("a supervisor starts")
        self.server.executor.connect(self.supervisor)

    def _break_connection(self) -> None:
        assert self.server is not None
        self.note("the connection breaks")
        executor = self.server.executor
        connection = executor.connection
        assert connection is not None
        self._end_connection(connection)
        for _ in range(self.random.randint(0, len(connection.to_server))):
            executor.deliver_message()
        executor.lose_connection()
        self.server.ring()

    def kill_supervisor(self) -> None:
        """It dies; the connection to it breaks."""
        if not self.supervisor.is_alive:
            return
        self.note("the supervisor is killed")
        self.supervisor.kill()
        if self.server is not None and self.server.executor.connection is not None:
            self._break_connection()

    def _deliver_message(self) -> None:
        assert self.server is not None
        self.server.executor.deliver_message()
        self.server.ring()

    def _deliver_frame(self) -> None:
        assert self.server is not None
        assert self.server.executor.connection is not None
        self.server.executor.connection.deliver_frame()
        if not self.server.executor.connection.to_supervisor:
            self.supervisor.let_time_pass()

    def _flush(self) -> None:
        self.supervisor.flush()

    def _let_time_pass(self) -> None:
        ahead = self.random.choice((1, 1, 5, 20, 100, 1000))
        event_at = self.supervisor.next_event_at()
        at = self.clock.now() + ahead
        self.clock.advance_to(at if event_at is None or self.random.random() < 0.5 else min(at, event_at))
        self.supervisor.let_time_pass()

    def _pass_to_next_event(self) -> bool:
        assert self.server is not None
        moments = [at for at in (self.supervisor.next_event_at(), self.server.due_at) if at is not None]
        if not moments or min(moments) > self.clock.now() + self.patience_ms:
            return False
        self.clock.advance_to(min(moments))
        self.supervisor.let_time_pass()
        return True

    def close(self) -> None:
        """Let go of the files."""
        if self.server is not None:
            self.server.die()
        self.database.close()

    # --------------------------------------------------------------------------------------------------------- notes

    def note(self, text: str) -> None:
        """A line of the world's story, for whoever replays a seed."""
        self.trace.append(f"{self.clock.now() % 10_000_000:>8} {text}")

    @contextmanager
    def _engine_errors(self) -> Iterator[None]:
        """What the engine logs as an error is one, unless the world made it."""
        handler = _ErrorHandler(self.errors)
        logger = logging.getLogger("batchyard")
        logger.addHandler(handler)
        propagates, logger.propagate = logger.propagate, False
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.propagate = propagates


class _ErrorHandler(logging.Handler):
    def __init__(self, errors: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._errors = errors

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, DiskFull):
            self._errors.append(f"{record.getMessage()}: {error!r}")


@cache
def empty_database() -> bytes:
    """A migrated database without rows."""
    folder = Path(tempfile.mkdtemp(prefix="batchyard-"))
    database = Database.at(folder, synchronous="OFF")
    database.migrate()
    database.close()
    content = (folder / "batchyard.sqlite3").read_bytes()
    shutil.rmtree(folder)
    return content
