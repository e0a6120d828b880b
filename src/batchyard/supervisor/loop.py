"""The supervisor's one loop and one thread: orders in, attempts started and reaped, reports out.

Each pass waits for a socket, an attempt's output, the death of a child or the next due time, then does all that can be
done. What becomes of attempts is gathered over a few milliseconds, written to the journal in one piece and reported in
one frame; when little happens, at once.
"""

import contextlib
import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from batchyard.executors.control_groups import ControlGroups
from batchyard.executors.interface import Capacity, Launch, Observed, Order, Stop, TakeBack
from batchyard.executors.supervisor_protocol import (
    PROTOCOL,
    Acknowledge,
    Hello,
    Refused,
    Shutdown,
    Welcome,
    supervisor_folder,
)
from batchyard.supervisor.attempts import Attempts
from batchyard.supervisor.connection import Connection, ConnectionEnded
from batchyard.supervisor.journal import End, Journal, Running
from batchyard.supervisor.processes import process
from batchyard.supervisor.runs import Run

_BUSY_GATHER_SECONDS = 0.020  # while attempts wait for a slot, nobody waits for these reports
_GATHER_SECONDS = 0.005
_JOURNAL_AGAIN_SECONDS = 1.0
_SIGTERM_GRACE_SECONDS = 10.0
_LOOK_AT_LOCK_SECONDS = 5.0
_FAULT_SECONDS = 0.1

log = logging.getLogger(__name__)


class EpollWatch:
    """Readable descriptors and what to call for each."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Callable[[], None]] = {}

    def add(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call `ready` whenever the descriptor can be read."""
        self._ready[descriptor] = ready
        self._epoll.register(descriptor, select.EPOLLIN)

    def await_writable(self, descriptor: int, wanted: bool) -> None:
        """Call it also when the descriptor can be written, or no longer."""
        self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if wanted else 0))

    def remove(self, descriptor: int) -> None:
        """Call no more."""
        del self._ready[descriptor]
        self._epoll.unregister(descriptor)

    def wait(self, seconds: float | None) -> None:
        """Wait until something is ready, at most so long, and call what belongs to it."""
        for descriptor, _ in self._epoll.poll(seconds):
            if ready := self._ready.get(descriptor):  # An earlier one of this round may have closed it.
                ready()


class Supervisor:
    """Runs the attempts of one data folder until told to end, or idle and serverless for `idle_seconds`."""

    def __init__(
        self,
        data: Path,
        listener: socket.socket,
        journal: Journal,
        groups: ControlGroups,
        *,
        lock: int,
        idle_seconds: float,
        pids_limit: int,
    ) -> None:
        self._watch = EpollWatch()
        self._listener = listener
        self._journal = journal
        self._groups = groups
        self._lock = lock
        self._lock_path = supervisor_folder(data) / "lock"
        self._look_at_lock = 0.0
        self._idle_seconds = idle_seconds
        self._attempts = Attempts(data, groups, self._watch, self._on_end, pids_limit)
        self._server: Connection | None = None
        self._connections: set[Connection] = set()
        self._unwritten: list[Running | End] = []
        self._flushed_at = 0.0
        self._served_at = time.monotonic()
        self._ending = False
        self._sigterm = False

    # ------------------------------------------------------------------------------------------------- the loop

    def run(self) -> None:
        """Until the end."""
        wake, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self._watch.add(wake, lambda: _empty(wake))
        self._watch.add(self._listener.fileno(), self._accept)
        wait: float | None = 0
        while not self._over():
            try:
                wait = self._pass(wait)
            except Exception:  # A fault of ours in one pass must not end what runs on this machine.
                log.exception("a fault in the supervisor")
                wait = _FAULT_SECONDS
        for connection in list(self._connections):
            self._drop(connection)

    def _pass(self, wait: float | None) -> float | None:
        """Wait, then do all that can be done; return how long to wait next."""
        self._watch.wait(wait)
        if self._sigterm:
            self._sigterm = False
            self._end(_SIGTERM_GRACE_SECONDS)
        self._attempts.reap()
        closing = self._attempts.continue_closing()
        self._attempts.start_what_fits()
        return _earliest(closing, self._flush(), self._until_idle(), self._until_homeless())

    def _on_sigterm(self, *_: object) -> None:
        """The machine is going down, or somebody wants the supervisor gone; noted here, done in the next pass."""
        self._sigterm = True

    def _over(self) -> bool:
        if not self._attempts.idle or self._unwritten:
            return False
        if self._ending:
            return self._server is None or not (self._server.pending or self._server.blocked)
        return self._server is None and time.monotonic() - self._served_at >= self._idle_seconds

    def _until_idle(self) -> float | None:
        if self._ending and self._attempts.idle:
            return 0.05
        if self._server is None and self._attempts.idle:
            return max(0.0, self._served_at + self._idle_seconds - time.monotonic())
        return None

    def _until_homeless(self) -> float:
        """End when the data folder has been removed: another one of that name would be another supervisor's."""
        now = time.monotonic()
        if now >= self._look_at_lock:
            self._look_at_lock = now + _LOOK_AT_LOCK_SECONDS
            if not self._ending and not _is_same_file(self._lock_path, self._lock):
                log.warning("the data folder is gone")
                self._end(0)
        return self._look_at_lock - now

    def _end(self, grace_seconds: float) -> None:
        self._ending = True
        self._attempts.abandon(grace_seconds)

    # ------------------------------------------------------------------------------------------- what has become

    def _flush(self) -> float | None:
        """Journal and report what is due; return after how many seconds to call again."""
        now = time.monotonic()
        again = self._attempts.announce(now, self._on_start)
        if self._unwritten:
            wait = self._flushed_at + (_BUSY_GATHER_SECONDS if self._attempts.has_waiting else _GATHER_SECONDS) - now
            if wait > 0:
                return _earliest(again, wait)
            self._flushed_at = now
            try:
                numbered = self._journal.add(self._unwritten)
            except OSError as failure:
                log.error("the journal takes nothing, reports are kept back: %s", failure)
                self._flushed_at += _JOURNAL_AGAIN_SECONDS
                return _earliest(again, _JOURNAL_AGAIN_SECONDS)
            self._unwritten = []
            if self._server:
                self._server.pending.extend(numbered)
        if self._server:
            self._talk(self._server, self._report)
        return again

    def _on_start(self, run: Run, is_first: bool) -> None:
        if run.group:
            with contextlib.suppress(OSError):
                run.group.settle()
        if is_first and run.started_at is not None:
            entry = process(run.process_id)
            started = entry.started if entry else 0
            self._unwritten.append(Running(run.attempt_id, run.started_at, run.process_id, started))

    def _on_end(self, end: End) -> None:
        self._unwritten.append(end)

    def _report(self, server: Connection) -> None:
        position = self._journal.position
        server.send_reports(position.journal)
        if not server.observed and not server.pending:
            server.observed = True
            server.send([Observed(position, frozenset(self._journal.live))])

    # ---------------------------------------------------------------------------------------------- connections

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            channel, _ = self._listener.accept()
            connection = Connection(channel)
            self._connections.add(connection)
            self._watch.add(channel.fileno(), lambda: self._talk(connection, self._serve))

    def _talk(self, connection: Connection, what: Callable[[Connection], None]) -> None:
        """Do something with a connection, which may end it; wait for room if it takes no more."""
        if connection not in self._connections:
            return
        try:
            what(connection)
            if connection.blocked != connection.awaited:
                connection.awaited = connection.blocked
                self._watch.await_writable(connection.channel.fileno(), connection.blocked)
        except ConnectionEnded as end:
            log.info("connection ended: %s", end)
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._watch.remove(connection.channel.fileno())
        connection.close()
        if connection is self._server:
            self._server = None
            self._served_at = time.monotonic()

    def _serve(self, connection: Connection) -> None:
        connection.resume()
        orders: list[Order] = []
        for item in connection.receive():
            if isinstance(item, Launch | Stop | TakeBack):
                orders.append(item)
            else:
                self._obey(connection, item)
        if orders and connection is self._server:
            self._order(orders)

    def _obey(self, connection: Connection, item: Any) -> None:
        if isinstance(item, Hello):
            self._greet(connection, item)
        elif isinstance(item, Shutdown):
            log.info("told to end")
            self._end(item.grace_seconds)
        elif connection is not self._server:
            raise ConnectionEnded("a word before Hello")
        elif isinstance(item, Capacity):
            self._attempts.configure(item)
        elif isinstance(item, Acknowledge):
            try:
                self._journal.acknowledge(item.position)
            except OSError as failure:
                log.error("the journal cannot be written anew: %s", failure)
        else:
            raise ConnectionEnded(f"a {type(item).__name__} from a server")

    def _greet(self, connection: Connection, hello: Hello) -> None:
        if hello.protocol != PROTOCOL or self._ending:
            why = "it is ending" if self._ending else f"it speaks protocol {PROTOCOL}, not {hello.protocol}"
            connection.send([Refused(f"the supervisor cannot serve: {why}")])
            raise ConnectionEnded(why)
        if self._server and self._server is not connection:
            self._drop(self._server)
        self._server = connection
        self._attempts.adjust(hello.log_cap_bytes, hello.containers)
        self._journal.leap_beyond(hello.after)
        connection.pending.extend(self._journal.reports_after(hello.after))
        connection.send([Welcome(PROTOCOL, os.getpid(), self._groups.unenforced)])

    def _order(self, orders: list[Order]) -> None:
        """Carry out a batch. Launches are on disk before the first of them may start."""
        launches = {
            order.attempt_id: order
            for order in orders
            if isinstance(order, Launch) and not self._journal.knows(order.attempt_id)
        }
        if launches and not self._ending:
            try:
                self._journal.accept(list(launches))
            except OSError as failure:
                log.error("the journal takes nothing, launches are refused: %s", failure)
                raise ConnectionEnded("the journal cannot be written") from failure
        for order in orders:
            if isinstance(order, Stop):
                self._attempts.stop(order.attempt_id, order.grace_seconds)
            elif isinstance(order, TakeBack):
                self._attempts.take_back(order.attempt_id)
            elif not self._ending and (launch := launches.pop(order.attempt_id, None)):
                self._attempts.queue(launch)


def _earliest(*waits: float | None) -> float | None:
    return min((wait for wait in waits if wait is not None), default=None)


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False


def _empty(pipe: int) -> None:
    with contextlib.suppress(BlockingIOError):
        os.read(pipe, 4096)
