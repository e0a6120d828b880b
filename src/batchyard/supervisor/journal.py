"""What the supervisor must not forget: which attempts it accepted, and how they ended.

One append-only file of records, each with its length and checksum. An attempt is on disk as accepted before it may be
spawned, so one that the journal does not know never ran, not even across a power loss. Its end is written before it is
reported. Reports are numbered; a server says up to which number it has committed them, and those are forgotten when
the file is written anew. That happens at each start and whenever the file has grown a good deal beyond what lives.

A kill of the supervisor loses nothing that was written. A power loss may lose the youngest records, whose numbers a
server has perhaps committed already; so after one (the boot id differs, or the tail is torn) numbering leaps ahead, and
no number ever means two things.
"""

import os
import struct
import time
import uuid
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from batchyard.core.ids import AttemptId, Millis
from batchyard.executors.interface import (
    AttemptExited,
    AttemptLost,
    AttemptReturned,
    AttemptStarted,
    Position,
    Report,
)

_FRAME = struct.Struct("<II")
_LEAP = 1 << 20
_ROTATE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Header:
    """The first record of a file: the journal's name, the boot it was written in."""

    name: str
    boot_id: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """These attempts may be spawned from now on."""

    attempt_ids: tuple[AttemptId, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """The attempt's main process; `process_started` (clock ticks since boot) tells it from a later one of that id."""

    attempt_id: AttemptId
    at: Millis
    process_id: int
    process_started: int


End = AttemptExited | AttemptLost | AttemptReturned
Record = Header | Accepted | Running | AttemptExited | AttemptLost | AttemptReturned

_KINDS: dict[str, type] = {
    "header": Header,
    "accepted": Accepted,
    "running": Running,
    "exited": AttemptExited,
    "lost": AttemptLost,
    "returned": AttemptReturned,
}
_KIND_OF = {type_: kind for kind, type_ in _KINDS.items()}
_DECODERS: dict[str, msgspec.msgpack.Decoder[Any]] = {
    kind: msgspec.msgpack.Decoder(type_) for kind, type_ in _KINDS.items()
}
_PAYLOAD = msgspec.msgpack.Decoder(tuple[int, str, msgspec.Raw])
_encode = msgspec.msgpack.Encoder().encode


class Journal:
    """The journal of one data folder. Only one process may have it open."""

    def __init__(self, folder: Path, boot_id: str, rotate_bytes: int = _ROTATE_BYTES) -> None:
        """Read what an earlier supervisor wrote and begin a new file. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "journal"
        self._rotate_bytes = rotate_bytes
        self._header = Header(uuid.uuid4().hex, boot_id)
        self._file = -1
        self._size = 0
        self._size_when_new = 0
        self._last = 0
        self._live: dict[AttemptId, Running | None] = {}
        self._ended: dict[AttemptId, int] = {}
        self._records: deque[tuple[int, Running | End]] = deque()
        self.is_of_another_boot = False
        self._read()
        self.write_anew()

    # ------------------------------------------------------------------------------------------------ what it knows

    @property
    def position(self) -> Position:
        """That of the last report."""
        return Position(self._header.name, self._last)

    @property
    def live(self) -> dict[AttemptId, Running | None]:
        """The attempts accepted and not ended, with their main process where it was recorded."""
        return self._live

    @property
    def ended(self) -> dict[AttemptId, int]:
        """The attempts whose end is not yet acknowledged, with the number of that report."""
        return self._ended

    def knows(self, attempt_id: AttemptId) -> bool:
        """Whether it was ever accepted and its end is not yet acknowledged."""
        return attempt_id in self._live or attempt_id in self._ended

    def reports_after(self, position: Position) -> Iterator[tuple[int, Report]]:
        """The reports that a server at this position has not taken in, with their numbers; all, if the position is
        another journal's."""
        number = position.record if position.journal == self._header.name else 0
        return ((record_number, _report(record)) for record_number, record in self._records if record_number > number)

    # ---------------------------------------------------------------------------------------------- what it is told

    def accept(self, attempt_ids: Sequence[AttemptId]) -> None:
        """Put these attempts on disk. Raises OSError, and then none is accepted."""
        self._append([(self._last, Accepted(tuple(attempt_ids)))])
        os.fdatasync(self._file)
        self._live.update(dict.fromkeys(attempt_ids))

    def add(self, records: Iterable[Running | End]) -> list[tuple[int, Report]]:
        """Write what became of attempts; return the numbered reports. Raises OSError, and then nothing was added."""
        numbered = list(enumerate(records, self._last + 1))
        if not numbered:
            return []
        self._append(numbered)
        for number, record in numbered:
            self._take_in(number, record)
        return [(number, _report(record)) for number, record in numbered]

    def acknowledge(self, position: Position) -> None:
        """Forget what a server has committed, and sometimes write the file anew. Raises OSError."""
        if position.journal != self._header.name:
            return
        while self._records and self._records[0][0] <= position.record:
            _, record = self._records.popleft()
            if not isinstance(record, Running):
                self._ended.pop(record.attempt_id, None)
        if self._size > max(self._rotate_bytes, 2 * self._size_when_new):
            self.write_anew()

    def leap_beyond(self, position: Position) -> None:
        """A server committed numbers of this journal that the disk forgot: never give them again."""
        if position.journal == self._header.name and position.record > self._last:
            self._last = position.record + _LEAP

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    # --------------------------------------------------------------------------------------------------- the file

    def _take_in(self, number: int, record: Record) -> None:
        self._last = max(self._last, number)
        if isinstance(record, Header):
            self._header = Header(record.name, self._header.boot_id)
        elif isinstance(record, Accepted):
            self._live.update(dict.fromkeys(record.attempt_ids))
        elif isinstance(record, Running):
            self._live[record.attempt_id] = record
            self._records.append((number, record))
        else:
            self._live.pop(record.attempt_id, None)
            self._ended[record.attempt_id] = number
            self._records.append((number, record))

    def _read(self) -> None:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return
        boot_id = self._header.boot_id
        whole = 0
        for end, number, record in _records(data):
            whole = end
            if isinstance(record, Header):
                boot_id = record.boot_id
                self.is_of_another_boot = boot_id != self._header.boot_id
            self._take_in(number, record)
        if not whole:  # The disk itself was damaged. What it held cannot be known; keep it for a person to look at.
            self._path.rename(self._path.with_name(f"journal.damaged-{int(time.time())}"))
        elif whole < len(data) or boot_id != self._header.boot_id:
            self._last += _LEAP

    def write_anew(self) -> None:
        """Begin a new file with all that lives, and put it in the place of the old one in one step. Raises OSError."""
        recorded = {record.attempt_id for _, record in self._records if isinstance(record, Running)}
        still: list[tuple[int, Record]] = [(self._last, self._header)]
        if self._live:
            still.append((self._last, Accepted(tuple(self._live))))
        still += [(0, record) for record in self._live.values() if record and record.attempt_id not in recorded]
        still += self._records
        data = b"".join(_framed(number, record) for number, record in still)
        fresh = self._path.with_suffix(".new")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(file, data)
            os.fsync(file)
            fresh.rename(self._path)
            _sync_folder(self._path.parent)
        except OSError:
            os.close(file)
            raise
        self.close()
        self._file = file
        self._size = self._size_when_new = len(data)

    def _append(self, numbered: Iterable[tuple[int, Record]]) -> None:
        data = b"".join(_framed(number, record) for number, record in numbered)
        try:
            _write_all(self._file, data)
        except OSError:
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            raise
        self._size += len(data)


def _report(record: Running | End) -> Report:
    return AttemptStarted(record.attempt_id, record.at) if isinstance(record, Running) else record


def _framed(number: int, record: Record) -> bytes:
    payload = _encode((number, _KIND_OF[type(record)], record))
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


def _records(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """Where each whole record ends, its number, and itself; ends before the first that is torn."""
    place = 0
    while place + _FRAME.size <= len(data):
        length, checksum = _FRAME.unpack_from(data, place)
        place += _FRAME.size
        payload = data[place : place + length]
        if not length or len(payload) < length or zlib.crc32(payload) != checksum:  # Lost blocks read as zeros.
            return
        number, kind, raw = _PAYLOAD.decode(payload)
        place += length
        yield place, number, _DECODERS[kind].decode(raw)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
