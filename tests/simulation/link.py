"""The connection between one server's engine and the supervisor: two pipes that the world empties at its leisure."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from batchyard.executors import interface as x
from tests.simulation.faults import Faults
from tests.simulation.supervisor import Numbered, Supervisor

INSTANCE_ID = "i-0123456789abcdef0"

Frame = x.Order | x.Capacity | x.Position
"""What goes to the supervisor, one at a time; a position is an acknowledgement."""


class Connection:
    """One connection, from greeting to loss."""

    def __init__(self, supervisor: Supervisor, after: x.Position) -> None:
        self.to_supervisor: deque[Frame] = deque()
        self.to_server: deque[x.Message] = deque()
        self._supervisor = supervisor
        self._is_observed = False
        supervisor.talk = self._report
        self._report(supervisor.journal.after(after))

    def _report(self, numbered: Sequence[Numbered]) -> None:
        for number, report in numbered:
            self.to_server.append(x.Batch(x.Position(self._supervisor.journal.name, number), (report,)))

    def observe(self) -> None:
        """Say what the supervisor holds, once."""
        if not self._is_observed:
            self._is_observed = True
            journal = self._supervisor.journal
            self.to_server.append(x.Observed(journal.position, frozenset(journal.live)))

    @property
    def is_observed(self) -> bool:
        """Whether that has been said."""
        return self._is_observed

    def deliver_frame(self) -> None:
        """The supervisor takes in one frame."""
        frame = self.to_supervisor.popleft()
        match frame:
            case x.Capacity():
                self._supervisor.configure(frame)
            case x.Position():
                self._supervisor.journal.acknowledge(frame)
            case _:
                self._supervisor.obey(frame)


class SimulatedExecutor:
    """The server's side of it (`executors.interface.Executor`); dies with its server."""

    name = "simulated"
    instance_id = INSTANCE_ID

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._sink: Callable[[x.Message], None] | None = None
        self._capacity: x.Capacity | None = None
        self._is_observed = False
        self.ordered: set[tuple[type[x.Order], str]] = set()
        """What has been ordered on this connection, or was held when it began (as if just launched)."""
        self.after = x.Position()
        self.connection: Connection | None = None

    def start(self, after: x.Position, sink: Callable[[x.Message], None]) -> None:
        """Remember where to begin; the world connects when it likes."""
        self.after = after
        self._sink = sink

    def configure(self, capacity: x.Capacity) -> None:
        """Said again on every connection."""
        self._capacity = capacity
        if self.connection is not None:
            self.connection.to_supervisor.append(capacity)

    def order(self, orders: Sequence[x.Order]) -> None:
        """Each order may be the last that leaves."""
        self._faults.may_crash("before the orders")
        for order in orders:
            if self.connection is not None and self._is_observed:
                self.connection.to_supervisor.append(order)
                self.ordered.add((type(order), order.attempt_id))
            self._faults.may_crash("between two orders")

    def acknowledge(self, position: x.Position) -> None:
        """Only what is committed comes here."""
        self._faults.may_crash("before the acknowledgement")
        if self.connection is not None and self._is_observed:
            self.connection.to_supervisor.append(position)
        self._faults.may_crash("after the acknowledgement")

    def honours(self) -> Mapping[str, str]:
        """Everything."""
        return {}

    def close(self) -> None:
        """Disconnect."""
        self.connection = None

    @property
    def takes_orders(self) -> bool:
        """Whether the engine has been told what is held."""
        return self.connection is not None and self._is_observed

    # ------------------------------------------------------------------------------------------ what the world does

    def connect(self, supervisor: Supervisor) -> Connection:
        """Greet the supervisor."""
        connection = self.connection = Connection(supervisor, self.after)
        self._is_observed = False
        if self._capacity is not None:
            connection.to_supervisor.append(self._capacity)
        return connection

    def deliver_message(self) -> None:
        """The engine is told one message."""
        assert self.connection is not None
        assert self._sink is not None
        message = self.connection.to_server.popleft()
        if isinstance(message, x.Batch):
            self.after = message.position
        elif isinstance(message, x.Observed):
            self._is_observed = True
            self.ordered = {(x.Launch, attempt_id) for attempt_id in message.attempts}
        self._sink(message)

    def lose_connection(self) -> None:
        """The engine is told that nobody answers."""
        assert self._sink is not None
        self.connection = None
        self._is_observed = False
        self._sink(x.ConnectionLost("the simulated connection broke"))
