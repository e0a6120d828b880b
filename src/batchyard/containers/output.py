"""What containers write, from the engine into the attempts' own log files, byte by byte, nothing twice, nothing lost.

Podman on this machine has its conmon write each container's output straight into a file that we name, where it is safe
whatever becomes of this process (`FileTail`). Other engines keep it and tell it over their API (`EngineTail`). Either
way the engine's record begins with the container's first byte and always reads the same, so the place to go on from
after a crash needs no note: it is as many bytes in as the attempt's log holds, less what was in it before the container
(how its image was pulled), which the container's label says.

One thread reads the files of all containers in turn, a bounded helping of each. A container that writes without end
slows only itself.
"""

import contextlib
import logging
import os
import re
import socket
import struct
import threading
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from batchyard.core.ids import Millis
from batchyard.logs.writer import AttemptLogWriter

_HELPING_BYTES = 1 << 20
_LOOK_AGAIN_SECONDS = 0.1
_API_STAMP_BYTES = len(b"2026-11-22T22:38:56.296086851Z ")
_FRAME = struct.Struct(">B3xI")
_NOT_FOUND = 404
_LINE_BREAK = ord("\n")
_WHOLE_PART_BYTES = _FRAME.size + _API_STAMP_BYTES + (16 << 10)
_REMEMBERED_TIMES, _JUMBLED_TIMES = 4096, 64
_STAMP_CHARACTERS = 35  # 2026-11-22T22:06:59.988277518+00:00
log = logging.getLogger(__name__)
_RECORD = re.compile(rb"^\S+ std(?:out|err) (?:F (.*\n)|P (.*)\n)", re.MULTILINE)


class Transcript:
    """Takes the engine's record of a container's output from its beginning and writes what the log has not yet."""

    def __init__(self, log: AttemptLogWriter, skip_bytes: int) -> None:
        self._log = log
        self._skip_bytes = skip_bytes

    def write(self, content: bytes, at: Millis) -> None:
        """The next bytes of the record, taken in by the engine at that time."""
        if self._skip_bytes:
            skipped = min(self._skip_bytes, len(content))
            self._skip_bytes -= skipped
            content = content[skipped:]
        if content:
            self._log.write(content, at)


class Tail(Protocol):
    """Follows one container. `finish` is called when the container has ended; `done` was given when it was made."""

    def finish(self) -> None:
        """The container writes no more: read to the end, then say that it is done."""

    def close(self) -> None:
        """Leave it as it is."""


class FileTail:
    """A file in the form of Kubernetes' container logs: time, stream, F or P for a whole line or a part, content."""

    def __init__(self, path: Path, transcript: Transcript, done: Callable[[], None]) -> None:
        self._path = path
        self._transcript = transcript
        self.done = done
        self._file = -1
        self._rest = b""
        self.is_finishing = False
        self.is_closed = False

    def read(self) -> bool:
        """One helping; whether there was anything. Raises OSError."""
        if self._file < 0:
            with contextlib.suppress(FileNotFoundError):
                self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        data = os.read(self._file, _HELPING_BYTES) if self._file >= 0 else b""
        if data:
            whole, line_break, rest = (self._rest + data).rpartition(b"\n")
            self._rest = rest
            if line_break:
                self._transcript.write(_RECORD.sub(rb"\1\2", whole + line_break), _millis(whole[:_STAMP_CHARACTERS]))
        return bool(data)

    def finish(self) -> None:
        """See `Tail.finish`; the reader looks at it soon."""
        self.is_finishing = True

    def close(self) -> None:
        """See `Tail.close`."""
        self.is_closed = True

    def let_go(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class FileReader:
    """The one thread that reads all `FileTail`s."""

    def __init__(self) -> None:
        self._tails: list[FileTail] = []
        self._bell = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="container-output", daemon=True)
        self._thread.start()

    def follow(self, tail: FileTail) -> None:
        """Read this one too, until it is done or closed."""
        with self._bell:
            self._tails.append(tail)
            self._bell.notify()

    def finish(self, tail: FileTail) -> None:
        """This one's container has ended."""
        with self._bell:
            tail.finish()
            self._bell.notify()

    def close(self) -> None:
        """End the thread; returns when nothing more is written."""
        with self._bell:
            self._is_closed = True
            self._bell.notify()
        self._thread.join()

    def _run(self) -> None:
        busy = False
        while not self._is_closed:
            with self._bell:
                finishing = any(tail.is_finishing for tail in self._tails)
                if not busy and not finishing and not self._is_closed:
                    self._bell.wait(_LOOK_AGAIN_SECONDS if self._tails else None)
                tails = list(self._tails)
            busy = False
            for tail in tails:
                busy |= self._serve(tail)
        for tail in self._tails:
            tail.let_go()

    def _serve(self, tail: FileTail) -> bool:
        ends = tail.is_finishing  # Asked first: what is there when the container has ended is all.
        try:
            found = not tail.is_closed and tail.read()
        except OSError:
            found = False
        if tail.is_closed or (ends and not found):
            with self._bell:
                self._tails.remove(tail)
            tail.let_go()
            if not tail.is_closed:
                tail.done()
        return found


def _millis(stamp: bytes) -> Millis:
    return Millis(int(datetime.fromisoformat(stamp.decode("ascii")).timestamp() * 1000))


class EngineTail:
    """The output as the engine's API tells it, in a thread of its own. The stream ends by itself when the container
    has ended and all is told, or finds no container; `done` is called then. When it ends otherwise, as when the
    engine goes away, `broken` is. A last line without a line break gets one from Docker."""

    def __init__(
        self,
        stream: Callable[[str | None], Any],
        transcript: Transcript,
        done: Callable[[], None],
        broken: Callable[[], None],
    ) -> None:
        self._open = stream
        self._transcript = transcript
        self._done = done
        self._broken = broken
        self._is_closed = False
        self._response: Any = None
        # Times of the latest messages, each with how many bear it: all parts of a long line bear the same.
        self._recent: deque[tuple[bytes, int]] = deque(maxlen=_REMEMBERED_TIMES)
        self._thread = threading.Thread(target=self._run, name="container-output", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """See `Tail.finish`; the engine ends the stream itself."""

    def close(self) -> None:
        """See `Tail.close`; returns when nothing more is written."""
        self._is_closed = True
        if self._response is not None:
            with contextlib.suppress(Exception):  # It may be closing already.
                _socket_of(self._response).shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _run(self) -> None:
        then = self._done
        try:
            self._copy(None, Counter())
            if not self._is_closed:
                # Docker may end a stream that it is asked to follow before its last messages.
                self._copy(*self._again())
        except Exception as failure:  # Whatever the client raises: the engine is gone, or going.
            if not self._is_closed:
                log.info("the output of a container is interrupted: %s", failure)
            if getattr(getattr(failure, "response", None), "status_code", None) != _NOT_FOUND:
                then = self._broken
        if not self._is_closed:
            then()

    def _copy(self, since: str | None, taken: Counter[bytes]) -> None:
        self._response = response = self._open(since)
        try:
            self._read(response.raw, taken)
        finally:
            response.close()

    def _again(self) -> tuple[str, Counter[bytes]]:
        """From when on to ask once more, as the engine takes it, and the times of what has been taken in since then.

        Two pipes are written down as they come, so a message may bear a time before that of the one above it: what is
        asked for begins with the earliest of the last few.
        """
        if not self._recent:
            return "0.000000001", Counter()
        earliest = min(stamp for stamp, _ in islice(reversed(self._recent), _JUMBLED_TIMES))
        taken: Counter[bytes] = Counter()
        for stamp, number in self._recent:
            if stamp >= earliest:
                taken[stamp] += number
        seconds = _millis(earliest[:19] + b"+00:00") // 1000
        return f"{seconds}.{earliest[20:29].decode('ascii')}", taken

    def _read(self, raw: Any, taken: Counter[bytes]) -> None:
        """Take in messages, but for those that have been `taken` before, by their times."""
        buffer = b""
        while not self._is_closed and (data := raw.read1(_HELPING_BYTES)):
            buffer += data
            place, contents = 0, []
            first = buffer[_FRAME.size : _FRAME.size + _API_STAMP_BYTES]
            while len(buffer) - place >= _FRAME.size:
                content = place + _FRAME.size + _API_STAMP_BYTES
                end = place + _FRAME.size + _FRAME.unpack_from(buffer, place)[1]
                if end > len(buffer):
                    break
                stamp = buffer[place + _FRAME.size : content]
                is_whole = buffer[end - 1] == _LINE_BREAK or end - place == _WHOLE_PART_BYTES
                place = end
                if taken[stamp]:
                    taken[stamp] -= 1
                    continue
                last, number = self._recent.pop() if self._recent and self._recent[-1][0] == stamp else (stamp, 0)
                self._recent.append((last, number + 1))
                contents.append(buffer[content:end])
                if not is_whole:
                    contents.append(b"\n")  # Docker forgets it after the last part of a line in parts.
            if contents:
                self._transcript.write(b"".join(contents), _millis(first[:26] + b"+00:00"))
            buffer = buffer[place:]


def _socket_of(response: Any) -> socket.socket:
    """The connection of a response that is being read: shutting it down wakes its reader."""
    found: socket.socket = response.raw._fp.fp.raw._sock
    return found
