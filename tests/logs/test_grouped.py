"""Events of several lines are the same from either end and on pages of any size, and none is cut without need."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchyard.core.ids import Millis
from batchyard.core.log_options import log_event_start
from batchyard.logs import reader
from batchyard.logs.grouped import GroupedLog, line_test
from batchyard.logs.reader import LogEvent, LogPage
from tests.logs.test_reader import ATTEMPT, TIME, backwards, forwards, small_pieces, texts, written

__all__ = ["small_pieces"]


def grouped(logs: Path, pattern: str, *, ended: bool = True) -> GroupedLog:
    return GroupedLog(logs, ATTEMPT, ended=ended, begins=line_test(pattern))


def test_lines_that_do_not_match_are_appended(tmp_path: Path) -> None:
    logs = written(tmp_path, b"before\n", b"AT one\r\n  more\n\n", b"  yet more\n\nAT two\n", b"AT three\n  end")
    expected = [("before", 0), ("AT one\n  more\n\n  yet more", 1), ("AT two", 2), ("AT three\n  end", 3)]
    with grouped(logs, "^AT ") as log:
        events = log.page().events
        assert [(event.message, event.timestamp - TIME) for event in events] == expected
        assert log.page(backward=True).events == events
        assert log.last_timestamp() == TIME + 3
        for page in (log.page(backward=True, limit=2), log.page(start_time=Millis(TIME + 2))):
            assert page.events == events[2:]
        assert log.page(end_time=Millis(TIME + 2)).events == events[:2]


def test_the_last_event_of_a_running_attempt_is_shown_as_far_as_it_came(tmp_path: Path) -> None:
    written(tmp_path, b"AT one\nmore\nyet")
    with grouped(tmp_path, "^AT ", ended=False) as log:
        page = log.page()
        assert texts(page.events) == ["AT one\nmore"]
        assert log.page(page.after) == LogPage([], page.after, page.after)
    written(tmp_path, b"AT one\nmore\nyet more\nAT two\n")
    with grouped(tmp_path, "^AT ", ended=False) as log:
        assert texts(log.page(page.after).events) == ["yet more", "AT two"]
        assert texts(log.page().events) == texts(log.page(backward=True).events) == ["AT one\nmore\nyet more", "AT two"]


def test_an_event_that_lies_across_a_cut_stays_whole_and_one_too_large_is_cut_at_lines(tmp_path: Path) -> None:
    line = b"x" * 999 + b"\n"
    across = b"AT 1\n" + line * 100 + b"AT 2\n" + line * 100
    with grouped(written(tmp_path, across), "^AT ") as log:
        assert [event.message.count("\n") for event in forwards(log)] == [100, 100]
    with grouped(written(tmp_path, line * 2000), "^AT ") as log:
        ahead = list(forwards(log))
        assert "\n".join(texts(ahead)).encode() == (line * 2000)[:-1]
        assert max(len(event.message) for event in ahead) <= reader.PIECE_BYTES
        assert len(ahead) <= 17
        assert backwards(log) == ahead


def test_a_pattern_that_could_take_for_ever_does_not(tmp_path: Path) -> None:
    with grouped(written(tmp_path, b"a" * 100_000 + b"!\n"), "(a*)*(a|aa)+b$") as log:
        assert len(log.page().events) == 1


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a{1001}"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match=re.escape(pattern)):
        line_test(pattern)


@pytest.mark.parametrize(
    ("format_", "line", "begins"),
    [
        (r"\[%b %d, %Y %H:%M:%S\]", "[May 01, 2017 19:00:01] text", True),
        (r"\[%b %d, %Y %H:%M:%S\]", "May 01, 2017 19:00:01 text", False),
        ("%Y-%m-%dT%H:%M:%S%L%z", "2026-11-23T00:10:00.123+0100 é", True),
        ("%Y-%m-%d", "2026-13-23", False),
        ("%A %B %I %p %f %j %w %y %Z %a", "Monday June 09 AM 123456 300 1 26 UTC Tue", True),
    ],
)
def test_datetime_formats(format_: str, line: str, begins: bool) -> None:
    pattern = log_event_start({"awslogs-datetime-format": format_, "awslogs-multiline-pattern": "."})
    assert pattern is not None
    assert line_test(pattern)(line.encode()) is begins


@pytest.mark.usefixtures("small_pieces")
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    chunks=st.lists(
        st.lists(st.sampled_from([b"a", b"b", b"a\n", b"AT", b"AT\n", b"bc" * 9, b"\n", b"\r\n", "🚂".encode()])).map(
            b"".join
        ),
        max_size=12,
    ),
    limit=st.integers(1, 5),
)
def test_pages_and_directions_agree_and_lose_nothing(tmp_path: Path, chunks: list[bytes], limit: int) -> None:
    logs = written(tmp_path, *filter(None, chunks))
    for ended in (True, False):
        with grouped(logs, "^AT", ended=ended) as log, reader.AttemptLog(logs, ATTEMPT, ended=ended) as plain:
            ahead = list(forwards(log))
            assert list(forwards(log, limit=limit)) == ahead
            assert backwards(log) == backwards(log, limit=limit) == ahead
            assert all(len(event.message) <= reader.PIECE_BYTES + 3 for event in ahead)
            lines = [event.message for event in forwards(plain)]
            assert [line for event in ahead for line in event.message.split("\n") if line] == lines
            _check_starts(ahead, list(forwards(plain)))
            for moment in range(len(chunks) + 1):
                time = Millis(TIME + moment)
                later = [event for event in ahead if event.timestamp >= time]
                assert log.page(start_time=time).events == log.page(backward=True, start_time=time).events == later
                earlier = [event for event in ahead if event.timestamp < time]
                assert log.page(end_time=time).events == log.page(backward=True, end_time=time).events == earlier


def _check_starts(events: list[LogEvent], lines: list[LogEvent]) -> None:
    """Every line that matches begins an event."""
    starts = {event.offset for event in events}
    assert all(line.offset in starts for line in lines if line.message.startswith("AT"))
