"""The process executor: runs commands on this host through its supervisor, and starts that supervisor when none runs.

The server's side of the connection. One thread connects, receives and passes on what it hears; orders are sent by
whoever gives them, as far as the socket takes them at once, and the rest by the thread.
"""

import contextlib
import fcntl
import os
import secrets
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from batchyard.executors.interface import (
    Batch,
    Capacity,
    ConnectionLost,
    Message,
    Observed,
    Order,
    Position,
    Report,
)
from batchyard.executors.supervisor_protocol import (
    PROTOCOL,
    Acknowledge,
    ContainerSettings,
    FrameReader,
    Hello,
    ProtocolFault,
    Refused,
    Shutdown,
    Welcome,
    connect,
    frame,
    supervisor_folder,
)

_RECEIVE_BYTES = 1 << 18
_LOOK_AGAIN_SECONDS = 0.01
_START_SECONDS = 15.0
_RETRY_SECONDS = 0.5
_LOG_TAIL_BYTES = 2000


class ProcessExecutor:
    """The supervisor of one data folder, as the engine sees it (`interface.Executor`).

    `log_cap_bytes` is how much of each attempt's output is kept (None for all). The others matter when this executor
    starts the supervisor: `idle_seconds` is how long that one stays without server and attempts, `use_control_groups`
    whether it limits attempts by control groups where it can.
    """

    name = "process"
    containers = ContainerSettings()

    def __init__(
        self,
        data: Path,
        *,
        log_cap_bytes: int | None = None,
        idle_seconds: float = 60.0,
        use_control_groups: bool = True,
    ) -> None:
        self._data = data.resolve()
        self._log_cap_bytes = log_cap_bytes
        self._options = ["--idle-seconds", str(idle_seconds)]
        if not use_control_groups:
            self._options.append("--no-control-groups")
        supervisor_folder(self._data).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.instance_id = instance_id(supervisor_folder(self._data) / "instance-id")
        self._lock = threading.Lock()
        self._channel: socket.socket | None = None
        self._unsent = b""
        self._observed = False
        self._capacity: Capacity | None = None
        self._honours: Mapping[str, str] = {}
        self._after = Position()
        self._closed = threading.Event()
        self._wake, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread: threading.Thread | None = None
        self._child: subprocess.Popen[bytes] | None = None

    # ---------------------------------------------------------------------------------------------- the interface

    def start(self, after: Position, sink: Callable[[Message], None]) -> None:
        """See `Executor.start`."""
        self._after = after
        self._thread = threading.Thread(target=self._run, args=(sink,), name="process-executor", daemon=True)
        self._thread.start()

    def configure(self, capacity: Capacity) -> None:
        """See `Executor.configure`. Said again on every connection."""
        with self._lock:
            self._capacity = capacity
            if self._channel:
                self._send([capacity])

    def order(self, orders: Sequence[Order]) -> None:
        """See `Executor.order`."""
        with self._lock:
            if self._observed and orders:
                self._send(orders)

    def acknowledge(self, position: Position) -> None:
        """See `Executor.acknowledge`."""
        with self._lock:
            if self._observed:
                self._send([Acknowledge(position)])

    def honours(self) -> Mapping[str, str]:
        """See `Executor.honours`; known once connected."""
        return self._honours

    def close(self) -> None:
        """See `Executor.close`. Returns when the thread has ended; no message comes after that."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._poke()
        if self._thread:
            self._thread.join()
        with self._lock:
            os.close(self._wake)
            os.close(self._waker)

    # --------------------------------------------------------------------------------------------------- sending

    def _send(self, items: Sequence[object]) -> None:
        """Send a frame without waiting; the lock is held."""
        assert self._channel
        waiting = bool(self._unsent)
        self._unsent += frame(items)
        if not waiting:
            self._push()
            if self._unsent:
                self._poke()

    def _push(self) -> None:
        """Send what the socket takes; the lock is held. A dead connection is noticed by the thread, which reads."""
        while self._unsent and self._channel:
            try:
                sent = self._channel.send(self._unsent, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
            except OSError:
                return
            self._unsent = self._unsent[sent:]

    def _poke(self) -> None:
        with contextlib.suppress(OSError):
            os.write(self._waker, b"x")

    # ------------------------------------------------------------------------------------------------ the thread

    def _run(self, sink: Callable[[Message], None]) -> None:
        while not self._closed.is_set():
            connected_at = time.monotonic()
            try:
                channel = self._connect()
                connected_at = time.monotonic()
                try:
                    self._converse(channel, sink)
                finally:
                    with self._lock:
                        self._channel, self._unsent, self._observed = None, b"", False
                    channel.close()
            except (OSError, ProtocolFault) as failure:
                if not self._closed.is_set():
                    sink(ConnectionLost(str(failure)))
                    # At once, unless it has just gone wrong: another server may want the same supervisor.
                    hasty = time.monotonic() - connected_at < _RETRY_SECONDS
                    self._closed.wait(_RETRY_SECONDS if hasty else 0)

    def _connect(self) -> socket.socket:
        """A connection to the supervisor, started if none answers. Raises OSError when it cannot be had."""
        deadline = time.monotonic() + _START_SECONDS
        started = False
        while True:
            try:
                return connect(self._data)
            except OSError as failure:
                # One that was started is waited for even when closing, so that whoever stops it next finds it.
                if time.monotonic() > deadline or (self._closed.is_set() and not started):
                    raise
                if started and self._child and self._child.poll():
                    raise OSError(f"the supervisor cannot start: {self._log_tail()}") from failure
                if not started or (self._child and self._child.poll() == 0):
                    # One that found another alive has ended; that other may have ended since.
                    self._start_supervisor()
                    started = True
            time.sleep(_LOOK_AGAIN_SECONDS)

    def _start_supervisor(self) -> None:
        log = os.open(self._log_path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        command = [sys.executable, "-X", "utf8", "-m", "batchyard.supervisor", str(self._data)]
        try:
            self._child = subprocess.Popen(
                [*command, *self._options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=_with_this_package(os.environ),
            )
        finally:
            os.close(log)

    def _log_path(self) -> Path:
        return supervisor_folder(self._data) / "supervisor.log"

    def _log_tail(self) -> str:
        with contextlib.suppress(OSError):
            return self._log_path().read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "replace").strip()
        return "no log"

    def _converse(self, channel: socket.socket, sink: Callable[[Message], None]) -> None:
        """Greet, then pass on what comes until the connection ends or `close` is called. Raises OSError at its end."""
        channel.sendall(frame([Hello(PROTOCOL, self._after, self._log_cap_bytes, self.containers)]))
        with self._lock:
            self._channel = channel
            if self._capacity:
                self._send([self._capacity])
        frames = FrameReader()
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        while not self._closed.is_set():
            poll.register(channel, select.POLLIN | (select.POLLOUT if self._unsent else 0))
            for descriptor, events in poll.poll():
                if descriptor == self._wake:
                    os.read(self._wake, 4096)
                elif events & ~select.POLLOUT:
                    data = channel.recv(_RECEIVE_BYTES)
                    if not data:
                        raise ConnectionError("the supervisor ended the connection")
                    for items in frames.feed(data):
                        self._take_in(items, sink)
            with self._lock:
                self._push()

    def _take_in(self, items: list[Any], sink: Callable[[Message], None]) -> None:
        reports: list[Report] = []
        for item in items:
            if isinstance(item, Position):
                self._after = item
                sink(Batch(item, tuple(reports)))
            elif isinstance(item, Observed):
                with self._lock:
                    self._observed = True
                sink(item)
            elif isinstance(item, Welcome):
                self._honours = item.honours
            elif isinstance(item, Refused):
                raise ConnectionError(item.detail)
            else:
                reports.append(item)


def stop_supervisor(data: Path, grace_seconds: float) -> bool:
    """End the supervisor of a data folder and all its attempts; return whether there was one. Returns when it is gone.

    Attempts get SIGTERM, and SIGKILL after the grace. Those that waited are returned; those that ran are reported as
    lost, to the server that is connected or to the next one. Raises TimeoutError if it is still there ten seconds
    after the grace.
    """
    try:
        lock = os.open(supervisor_folder(data) / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    found = False
    deadline = time.monotonic() + grace_seconds + 10
    try:
        while not _free(lock):
            found = True
            if time.monotonic() > deadline:
                raise TimeoutError("the supervisor has not ended")
            # Again and again: one that was just starting may have taken the place of the one that ended.
            _tell_to_end(data, grace_seconds)
            time.sleep(_LOOK_AGAIN_SECONDS)
    finally:
        os.close(lock)
    return found


def _tell_to_end(data: Path, grace_seconds: float) -> None:
    """Tell the supervisor, if it listens yet; returns when it has closed its end."""
    with contextlib.suppress(OSError), connect(data.resolve()) as channel:
        channel.settimeout(grace_seconds + 10)
        channel.sendall(frame([Shutdown(grace_seconds)]))
        while channel.recv(_RECEIVE_BYTES):
            pass


def _with_this_package(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, in which Python finds the very package that this is, installed or not."""
    root = str(Path(__file__).parents[2])
    path = environment.get("PYTHONPATH")
    return {**environment, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}


def _free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def instance_id(path: Path) -> str:
    """The host's name, made once per data folder and kept."""
    with contextlib.suppress(FileExistsError):
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        fresh.write_text(f"i-{secrets.token_hex(9)[:17]}\n")
        try:
            os.link(fresh, path)
        finally:
            fresh.unlink()
    return path.read_text().strip()
