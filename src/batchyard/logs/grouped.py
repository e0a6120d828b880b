"""Reads an attempt's log as events of several lines: a line that matches begins one, the others are appended (F 10.2).

No page splits an event. One that would be larger than an event may be is cut: where a line starts in another half of
that size *in the file* than the line before it, so that a reader that comes from the end finds the same cuts as one
from the start. A line longer than that half, and what is cut off a long line, begins an event whatever it says.

The last event of a running attempt is shown as far as it has come. What is appended later is read from the token
behind it as an event of its own, and as one with it by whoever reads both.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import re2

from batchyard.logs import reader
from batchyard.logs.reader import AttemptLog

_PATTERNS_KEPT = 32

_Span = tuple[int, bytes, int]


@lru_cache(_PATTERNS_KEPT)
def line_test(pattern: str) -> Callable[[bytes], bool]:
    """Whether a line holds a match of this pattern, in time that grows with the line alone.

    Raises ValueError for what is no pattern in RE2's syntax.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        search = re2.compile(pattern, options).search
    except re2.error as error:
        raise ValueError(pattern) from error
    return lambda line: search(line.decode("utf-8", "replace")) is not None


class GroupedLog(AttemptLog):
    """The log of one attempt as events of one or more lines each; `begins` says which lines begin one."""

    def __init__(self, logs: Path, attempt_id: str, *, ended: bool, begins: Callable[[bytes], bool]) -> None:
        """`logs` is the folder of all logs. Raises OSError only for what is worse than a missing file."""
        super().__init__(logs, attempt_id, ended=ended)
        self._matches = begins

    def _spans_after(self, offset: int, high: int) -> Iterator[_Span]:
        """Start, content and following start of the events from this one on."""
        lines: list[_Span] = []
        long = self._in_long_run(offset)
        # Whether a run is a long one may only be seen beyond `high`.
        for line in super()._spans_after(offset, self._complete_end()):
            begins = self._begins(line)
            if lines and (begins or (long and _apart(lines[-1], line))):
                yield _joined(lines)
                lines, long = [], long and not begins
            if not lines and line[0] >= high:
                return
            lines.append(line)
            if not long and line[2] - lines[0][0] > reader.PIECE_BYTES:
                long = True
                *whole, lines = _pieces(lines)
                for piece in whole:
                    if piece[0][0] < high:
                        yield _joined(piece)
                if lines[0][0] >= high:
                    return
        if lines:
            yield _joined(lines)

    def _spans_before(self, offset: int, low: int) -> Iterator[_Span]:
        """The same of the events that lie before, the nearest first."""
        lines: deque[_Span] = deque()
        end, long = offset, self._in_long_run(offset)
        for line in super()._spans_before(offset, 0):
            if lines and long and _apart(line, lines[0]):
                yield _joined(lines)
                lines = deque()
            if not lines and line[2] <= low:
                return
            lines.appendleft(line)
            if not long and end - line[0] > reader.PIECE_BYTES:
                long = True
                oldest, *whole = _pieces(list(lines))
                lines = deque(oldest)
                for piece in reversed(whole):
                    if piece[0][0] >= low:
                        yield _joined(piece)
                if lines[-1][2] <= low:
                    return
            if self._begins(line):
                yield _joined(lines)
                lines, end, long = deque(), line[0], False
        if lines:
            yield _joined(lines)

    def _event_at_or_after(self, offset: int, high: int) -> int:
        """The first start of an event at or after this offset, or `high`."""
        first = super()._event_at_or_after(offset, high)
        if first <= 0 or first >= high:
            return first
        long = self._in_long_run(first)
        before = next(super()._spans_before(first, 0))
        for line in super()._spans_after(first, high):
            if self._begins(line) or (long and _apart(before, line)):
                return line[0]
            before = line
        return high

    def _begins(self, line: _Span) -> bool:
        start, data, _ = line
        return len(data) > reader.PIECE_BYTES // 2 or not self._at_line_start(start) or self._matches(data)

    def _in_long_run(self, offset: int) -> bool:
        """Whether the line here continues an event that is too long to be one."""
        end = offset
        for line in super()._spans_after(offset, self._complete_end()):
            if self._begins(line):
                break
            end = line[2]
            if end - offset > reader.PIECE_BYTES:
                return True
        if end == offset:
            return False
        for line in super()._spans_before(offset, 0):
            if end - line[0] > reader.PIECE_BYTES:
                return True
            if self._begins(line):
                break
        return False


def _apart(line: _Span, following: _Span) -> bool:
    """Whether an event that is too long is cut between these neighbours."""
    half = reader.PIECE_BYTES // 2
    return line[0] // half != following[0] // half


def _pieces(lines: Sequence[_Span]) -> list[list[_Span]]:
    """The lines of an event that is too long, cut."""
    pieces = [[lines[0]]]
    for line, following in pairwise(lines):
        if _apart(line, following):
            pieces.append([])
        pieces[-1].append(following)
    return pieces


def _joined(lines: Sequence[_Span]) -> _Span:
    """These lines as one event. Empty ones count between others only."""
    return lines[0][0], b"\n".join(data for _, data, _ in lines).strip(b"\n"), lines[-1][2]
