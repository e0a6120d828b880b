"""What a server and the supervisor of its machine say to each other, and where they meet.

A stream of frames, in both directions: four bytes of length (little endian), then MessagePack: a list of
`[kind, body]`, where the body is one of the plain dataclasses of the interface or of this file. A batch of orders is
a frame of orders; a batch of reports is a frame of reports that ends in the `Position` of the last one. The stream
knows nothing of the transport, so that a supervisor may one day live on another host than its server.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from batchyard.executors.interface import (
    AttemptExited,
    AttemptLost,
    AttemptReturned,
    AttemptStarted,
    Capacity,
    Launch,
    Observed,
    Position,
    Stop,
    TakeBack,
)

PROTOCOL = 3
"""Raised when a frame changes its meaning; a supervisor refuses a server that speaks another."""

FRAME_LIMIT_BYTES = 1 << 28
"""A longer frame is a fault of the other side, and ends the connection."""

_LENGTH = struct.Struct("<I")
_UNIX_PATH_LIMIT = 107


@dataclass(frozen=True, slots=True)
class ContainerSettings:
    """For containers that do not say otherwise. `pull_policy` is `if-missing`, `always` or `never`, `network` is `host`
    or `none`; `cpu_quota` makes vCPUs the most that a container may use, not only its share."""

    pull_policy: str = "if-missing"
    network: str = "host"
    cpu_quota: bool = False


@dataclass(frozen=True, slots=True)
class Hello:
    """A server's first word: replay what came after `after`, then report as it happens. An older server's connection
    ends. `log_cap_bytes` is how much of each attempt's output is kept, None for all; `containers` how they are made."""

    protocol: int
    after: Position
    log_cap_bytes: int | None = None
    containers: ContainerSettings = field(default_factory=ContainerSettings)


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Everything up to `position` is committed."""

    position: Position


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Stop every attempt with this grace, then end. It needs no `Hello` before it."""

    grace_seconds: float


@dataclass(frozen=True, slots=True)
class Welcome:
    """The supervisor's answer to `Hello`; `honours` is what it cannot enforce here (`Executor.honours`)."""

    protocol: int
    process_id: int
    honours: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """The supervisor will not serve this connection."""

    detail: str


KINDS: dict[str, type] = {
    "hello": Hello,
    "capacity": Capacity,
    "launch": Launch,
    "stop": Stop,
    "take-back": TakeBack,
    "acknowledge": Acknowledge,
    "shutdown": Shutdown,
    "welcome": Welcome,
    "refused": Refused,
    "started": AttemptStarted,
    "exited": AttemptExited,
    "lost": AttemptLost,
    "returned": AttemptReturned,
    "position": Position,
    "observed": Observed,
}
KIND_OF: dict[type, str] = {type_: kind for kind, type_ in KINDS.items()}
_DECODERS: dict[str, msgspec.msgpack.Decoder[Any]] = {
    kind: msgspec.msgpack.Decoder(type_) for kind, type_ in KINDS.items()
}
_ITEMS = msgspec.msgpack.Decoder(list[tuple[str, msgspec.Raw]])
_encode = msgspec.msgpack.Encoder().encode


class ProtocolFault(Exception):
    """The other side sent what is not a frame."""


def frame(items: Sequence[object]) -> bytes:
    """The bytes of one frame that carries these dataclasses."""
    body = _encode([(KIND_OF[type(item)], item) for item in items])
    return _LENGTH.pack(len(body)) + body


class FrameReader:
    """Puts a byte stream back together into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[list[Any]]:
        """Take in bytes; yield the items of each frame now complete.

        Raises ProtocolFault for a frame that is too long, is no MessagePack or has an unknown or ill-formed item.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > FRAME_LIMIT_BYTES:
                raise ProtocolFault(f"a frame of {length} bytes")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[_LENGTH.size : end])
            del self._buffer[:end]
            yield _items(body)


def _items(body: bytes) -> list[Any]:
    try:
        return [_DECODERS[kind].decode(raw) for kind, raw in _ITEMS.decode(body)]
    except (KeyError, msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise ProtocolFault(str(fault)) from fault


# ------------------------------------------------------------------------------------------------------ where they meet


def supervisor_folder(data: Path) -> Path:
    """Where the supervisor of a data folder keeps its lock, socket, journal and log."""
    return data / "supervisor"


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """A name of the socket that fits in an address (107 bytes), however deep the data folder lies."""
    if len(os.fsencode(path)) <= _UNIX_PATH_LIMIT:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def connect(data: Path) -> socket.socket:
    """A blocking connection to the supervisor of this data folder. Raises OSError when none answers."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(supervisor_folder(data) / "socket") as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def listen(data: Path) -> socket.socket:
    """The listening socket of this data folder's supervisor, in place of a dead one's; only its owner may connect."""
    path = supervisor_folder(data) / "socket"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        with _address(path) as address:
            listener.bind(address)
    finally:
        os.umask(before)
    listener.listen(16)
    listener.setblocking(False)
    return listener
