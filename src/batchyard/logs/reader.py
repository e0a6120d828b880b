"""Reads what an attempt wrote as log events, by byte offset, forwards and backwards, whatever its size.

An event is a line. A line longer than an event may be (256 KiB on CloudWatch, with 26 bytes of overhead) becomes
several: it is cut near the multiples of that size *in the file*, not in the line, so that a reader that comes from the
end finds the same cuts as one from the start without looking for the start of the line. Empty lines are no events, as
with Docker's awslogs driver. The last line of a running attempt is an event once it is complete.

Each event's time is that at which its first byte was taken in (the index beside the log).
"""

import bisect
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from batchyard.core.ids import Millis
from batchyard.logs.files import INDEX_RECORD, index_path, log_path

EVENTS_PER_PAGE = 10_000
"""CloudWatch's limit, for GetLogEvents as for FilterLogEvents (F 10.3)."""

PAGE_BYTES = 1 << 20
"""CloudWatch's limit of a page, counted as messages in UTF-8 and 26 bytes for each event."""

EVENT_OVERHEAD_BYTES = 26

PIECE_BYTES = 262_144 - 32
"""Long lines are cut about here. A cut may lie three bytes earlier, in order not to split a character."""

_REACH = PIECE_BYTES + 8
_BLOCK_BYTES = 1 << 20
_LINES_BYTES = 1 << 16
_INDEX_BLOCK = 4096
_INDEX_BLOCKS_KEPT = 32


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One line, or a piece of a long one. `offset` is where it starts in the file and is never another event's."""

    timestamp: Millis
    message: str
    offset: int


@dataclass(frozen=True, slots=True)
class LogPage:
    """Events, oldest first. `before` and `after` are the offsets from which to read on, backwards and forwards; equal
    to the offset that was asked from when there is nothing (yet) in that direction."""

    events: list[LogEvent]
    before: int
    after: int


class AttemptLog:
    """The log of one attempt, open for reading; a context manager. One that wrote nothing has no events.

    `ended`: whether the attempt is over, so that a last line without a newline is complete.
    """

    def __init__(self, logs: Path, attempt_id: str, *, ended: bool) -> None:
        """`logs` is the folder of all logs. Raises OSError only for what is worse than a missing file."""
        self._ended = ended
        self._index = _open(index_path(logs, attempt_id))
        self._log = _open(log_path(logs, attempt_id))
        self.stored_bytes = os.fstat(self._log).st_size if self._log >= 0 else 0
        self._records = os.fstat(self._index).st_size // INDEX_RECORD.size if self._index >= 0 else 0
        self._window = b""
        self._window_at = 0
        self._blocks: dict[int, list[tuple[int, int]]] = {}
        self._recent = (0, 0, 0)
        self._end: int | None = None

    def close(self) -> None:
        """Let go of the files."""
        for descriptor in (self._log, self._index):
            if descriptor >= 0:
                os.close(descriptor)
        self._log = self._index = -1

    def __enter__(self) -> "AttemptLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ----------------------------------------------------------------------------------------------------- pages

    def page(
        self,
        offset: int | None = None,
        *,
        backward: bool = False,
        limit: int = EVENTS_PER_PAGE,
        max_bytes: int = PAGE_BYTES,
        start_time: Millis | None = None,
        end_time: Millis | None = None,
    ) -> LogPage:
        """The events that start at or after `offset`, or end at or before it if `backward`, as far as a page holds.

        `offset` is 0, or a page's `before` or `after`; None means the start, or the end if `backward`. `start_time`
        is inclusive, `end_time` exclusive. A page holds at least one event if there is one.
        """
        low, high = self._bounds(start_time, end_time)
        if backward:
            end = high if offset is None else max(low, min(offset, high))
            spans = self._spans_before(end, low)
        else:
            start = low if offset is None else min(max(offset, low), high)
            end = start
            spans = self._spans_after(start, high)
        events: list[LogEvent] = []
        room = max_bytes
        reached = end
        for start, data, following in spans:
            if data:
                message, size = _text(data)
                room -= size + EVENT_OVERHEAD_BYTES
                if events and (room < 0 or len(events) >= limit):
                    break
                events.append(LogEvent(self._time_at(start), message, start))
            reached = start if backward else following
        if backward:
            events.reverse()
            return LogPage(events, before=reached, after=end)
        return LogPage(events, before=end, after=reached)

    def first_timestamp(self) -> Millis | None:
        """When the first event came; None without events."""
        events = self.page(limit=1).events
        return events[0].timestamp if events else None

    def last_timestamp(self) -> Millis | None:
        """When the last event came; None without events."""
        events = self.page(backward=True, limit=1).events
        return events[0].timestamp if events else None

    def _bounds(self, start_time: Millis | None, end_time: Millis | None) -> tuple[int, int]:
        """Offsets between which lie the starts of exactly the events of these times."""
        low, high = 0, self._complete_end()
        if start_time is not None:
            low = self._event_at_or_after(self._offset_at(start_time), high)
        if end_time is not None:
            high = self._event_at_or_after(self._offset_at(end_time), high)
        return min(low, high), high

    # ---------------------------------------------------------------------------------------------------- events

    def _spans_after(self, offset: int, high: int) -> Iterator[tuple[int, bytes, int]]:
        """Start, content and following start of the events from this one on."""
        while offset < high:
            block = self._bytes(offset, min(high, offset + _LINES_BYTES))
            lines = block[: block.rfind(b"\n") + 1].split(b"\n")[:-1] if self._at_line_start(offset) else []
            if not lines or len(lines[0]) > PIECE_BYTES:
                stop, following = self._end_of_event(offset)
                yield offset, self._content(offset, stop, following), following
                offset = following
            for line in lines:
                if len(line) > PIECE_BYTES:
                    break
                following = offset + len(line) + 1
                yield offset, line.removesuffix(b"\r"), following
                offset = following

    def _spans_before(self, offset: int, low: int) -> Iterator[tuple[int, bytes, int]]:
        """The same of the events that lie before, the nearest first."""
        while offset > low:
            from_ = max(low, offset - _LINES_BYTES)
            block = self._bytes(from_, offset)
            first = 0 if self._at_line_start(from_) else block.find(b"\n") + 1
            whole = self._at_line_start(offset) and (first > 0 or self._at_line_start(from_))
            lines = block[first:].split(b"\n")[:-1] if whole else []
            if not lines or len(lines[-1]) > PIECE_BYTES:
                start = self._start_of_event(offset)
                stop, _ = self._end_of_event(start)
                yield start, self._content(start, stop, offset), offset
                offset = start
            for line in reversed(lines):
                if len(line) > PIECE_BYTES:
                    break
                start = offset - len(line) - 1
                yield start, line.removesuffix(b"\r"), offset
                offset = start

    def _content(self, start: int, stop: int, following: int) -> bytes:
        data = self._bytes(start, stop)
        return data.removesuffix(b"\r") if following > stop else data

    def _end_of_event(self, start: int) -> tuple[int, int]:
        """Where the event that starts here ends, and where the next one starts."""
        newline = self._find_newline(start, start + _REACH)
        stop = newline if newline >= 0 else min(self.stored_bytes, start + _REACH)
        if stop - start > PIECE_BYTES or not self._at_line_start(start):
            cut = self._cut_after(start)
            if cut < stop:
                return cut, cut
        return stop, stop + 1 if newline >= 0 else stop

    def _at_line_start(self, offset: int) -> bool:
        return offset == 0 or self._bytes(offset - 1, offset) == b"\n"

    def _start_of_event(self, end: int) -> int:
        """Where the event that ends here starts; `end` is the start of the next one, or the end of the log."""
        stop = end - 1 if self._at_line_start(end) else end
        line = self._rfind_newline(max(0, stop - 2 * _REACH), stop) + 1
        known = line > 0 or stop <= 2 * _REACH
        cut = self._cut_before(stop)
        if known and line >= cut:
            return line
        ends_in_cut = stop == end and end < self.stored_bytes
        is_long = not known or ends_in_cut or stop - line > PIECE_BYTES
        return cut if is_long else line

    def _event_at_or_after(self, offset: int, high: int) -> int:
        """The first start of an event at or after this offset, or `high`."""
        if offset <= 0 or offset >= high:
            return max(0, min(offset, high))
        start = max(0, offset - 2 * _REACH)
        line = self._rfind_newline(start, offset) + 1
        if line == 0 and start > 0:
            line = self._cut_after(offset - _REACH)  # Deep in a long line, whose cuts are its events.
        while line < offset:
            line = self._end_of_event(line)[1]
        return min(line, high)

    def _complete_end(self) -> int:
        """The end of what is known to be complete; later bytes may yet grow into another event."""
        if self._end is None:
            self._end = self.stored_bytes if self._ended else self._last_complete()
        return self._end

    def _last_complete(self) -> int:
        size = self.stored_bytes
        start = max(0, size - 2 * _REACH)
        line = self._rfind_newline(start, size) + 1
        if line == 0 and start > 0:
            line = self._cut_after(size - 2 * PIECE_BYTES)
        while size - line > PIECE_BYTES or not self._at_line_start(line):
            cut = self._cut_after(line)
            if cut >= size - 4:  # The cut itself is only known when the bytes about it are.
                break
            line = cut
        return line

    # ------------------------------------------------------------------------------------------------------ cuts

    def _cut_after(self, offset: int) -> int:
        """The first cut beyond this offset, if the line is a long one."""
        multiple = offset // PIECE_BYTES + 1
        while (cut := self._cut(multiple)) <= offset:
            multiple += 1
        return cut

    def _cut_before(self, offset: int) -> int:
        """The last cut before this offset."""
        multiple = -(-offset // PIECE_BYTES)
        while multiple > 0:
            cut = self._cut(multiple)
            if cut < offset:
                return cut
            multiple -= 1
        return 0

    def _cut(self, multiple: int) -> int:
        """Where a long line is cut near this multiple: before the character that lies across it, if one does."""
        place = multiple * PIECE_BYTES
        around = self._bytes(place - 3, place + 1)
        if len(around) < 4:
            return place
        for back in range(4):
            byte = around[3 - back]
            if byte & 0xC0 != 0x80:  # Not in the middle of a character.
                return place - back if byte >= 0xC0 else place
        return place

    # ----------------------------------------------------------------------------------------------------- bytes

    def _bytes(self, start: int, stop: int) -> bytes:
        """The bytes between two offsets, as far as there are any. Reading near one place costs one read a megabyte."""
        start, stop = max(0, start), min(stop, self.stored_bytes)
        if start >= stop:
            return b""
        if start < self._window_at or stop > self._window_at + len(self._window):
            before = _BLOCK_BYTES if start < self._window_at else 2 * _REACH
            self._window_at = max(0, start - before)
            self._window = os.pread(self._log, stop + _BLOCK_BYTES - self._window_at, self._window_at)
        return self._window[start - self._window_at : stop - self._window_at]

    def _find_newline(self, start: int, stop: int) -> int:
        """The offset of the first newline between two offsets, or -1."""
        stop = min(stop, self.stored_bytes)
        self._bytes(start, stop)
        found = self._window.find(b"\n", start - self._window_at, stop - self._window_at)
        return found + self._window_at if found >= 0 else -1

    def _rfind_newline(self, start: int, stop: int) -> int:
        """The offset of the last newline between two offsets, or -1."""
        if start >= stop:
            return -1
        self._bytes(start, stop)
        found = self._window.rfind(b"\n", start - self._window_at, stop - self._window_at)
        return found + self._window_at if found >= 0 else -1

    # ----------------------------------------------------------------------------------------------------- times

    def _record(self, number: int) -> tuple[int, int]:
        """Offset and time of an index record; one beyond the last is at the end of time."""
        if number >= self._records:
            return self.stored_bytes + 1, 0
        block, place = divmod(number, _INDEX_BLOCK)
        if block not in self._blocks:
            if len(self._blocks) >= _INDEX_BLOCKS_KEPT:
                self._blocks.clear()
            size = INDEX_RECORD.size
            data = os.pread(self._index, _INDEX_BLOCK * size, block * _INDEX_BLOCK * size)
            self._blocks[block] = list(INDEX_RECORD.iter_unpack(data[: len(data) // size * size]))
        return self._blocks[block][place]

    def _time_at(self, offset: int) -> Millis:
        """When the byte at this offset was taken in. Neighbouring events share a record or have neighbouring ones."""
        if not self._records:
            return Millis(0)
        start, stop, time = self._recent
        if not start <= offset < stop:
            number = bisect.bisect_right(range(self._records), offset, key=lambda n: self._record(n)[0])
            start, time = self._record(max(0, number - 1))
            self._recent = (start, self._record(number)[0], time)
        return Millis(time)

    def _offset_at(self, time: Millis) -> int:
        """The offset of the first byte taken in at or after this time."""
        number = bisect.bisect_left(range(self._records), int(time), key=lambda n: self._record(n)[1])
        return self._record(number)[0] if number < self._records else self.stored_bytes


def _text(data: bytes) -> tuple[str, int]:
    """The message, and its size in UTF-8."""
    try:
        return data.decode(), len(data)
    except UnicodeDecodeError:
        message = data.decode("utf-8", "replace")
        return message, len(message.encode())


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
