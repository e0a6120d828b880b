"""The reader finds the same events from either end, whatever bytes a job writes, and pages without loss or repeat."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchyard.core.ids import AttemptId, Millis
from batchyard.logs import reader
from batchyard.logs.reader import AttemptLog, LogEvent
from batchyard.logs.writer import AttemptLogWriter

ATTEMPT = AttemptId("ab" * 16)
TIME = Millis(1_700_000_000_000)


def written(logs: Path, *chunks: bytes, step: int = 1) -> Path:
    """A log of these chunks, `step` milliseconds apart."""
    for old in logs.rglob("*.???"):
        old.unlink()
    writer = AttemptLogWriter(logs, ATTEMPT, None)
    for number, chunk in enumerate(chunks):
        writer.write(chunk, Millis(TIME + number * step))
    writer.close()
    return logs


def forwards(log: AttemptLog, **page: int) -> Iterator[LogEvent]:
    offset = 0
    while True:
        found = log.page(offset, **page)
        yield from found.events
        if found.after == offset:
            return
        offset = found.after


def backwards(log: AttemptLog, **page: int) -> list[LogEvent]:
    events: list[LogEvent] = []
    offset: int | None = None
    while True:
        found = log.page(offset, backward=True, **page)
        events[:0] = found.events
        if found.before == (found.after if offset is None else offset):
            return events
        offset = found.before


def texts(events: list[LogEvent]) -> list[str]:
    return [event.message for event in events]


def test_lines_are_events_with_the_time_of_their_first_byte(tmp_path: Path) -> None:
    logs = written(tmp_path, b"one\ntw", b"o\r\nthree\n", b"\n\nfour\n")
    with AttemptLog(logs, ATTEMPT, ended=True) as log:
        events = log.page().events
        assert [(event.message, event.timestamp - TIME) for event in events] == [
            ("one", 0),
            ("two", 0),
            ("three", 1),
            ("four", 2),
        ]
        assert log.first_timestamp() == TIME
        assert log.last_timestamp() == TIME + 2
        assert log.stored_bytes == 22


def test_a_silent_attempt_has_no_events(tmp_path: Path) -> None:
    with AttemptLog(tmp_path, ATTEMPT, ended=True) as log:
        assert log.page() == log.page(backward=True) == reader.LogPage([], 0, 0)
        assert log.first_timestamp() is log.last_timestamp() is None
        assert log.stored_bytes == 0


def test_a_running_attempts_last_line_waits_until_it_is_complete(tmp_path: Path) -> None:
    logs = written(tmp_path, b"one\ntwo")
    with AttemptLog(logs, ATTEMPT, ended=False) as log:
        page = log.page()
        assert texts(page.events) == ["one"]
        assert texts(log.page(backward=True).events) == ["one"]
        assert log.page(page.after) == reader.LogPage([], page.after, page.after)
    with AttemptLog(logs, ATTEMPT, ended=True) as log:
        assert texts(log.page(page.after).events) == ["two"]


def test_pages_hold_no_more_than_they_may(tmp_path: Path) -> None:
    logs = written(tmp_path, b"".join(b"%04d\n" % number for number in range(100)))
    with AttemptLog(logs, ATTEMPT, ended=True) as log:
        assert len(log.page(limit=7).events) == 7
        assert len(log.page(max_bytes=10 * 30).events) == 10
        assert len(log.page(max_bytes=1).events) == 1
        newest = log.page(backward=True, limit=3)
        assert texts(newest.events) == ["0097", "0098", "0099"]
        assert texts(log.page(newest.before, backward=True, limit=2).events) == ["0095", "0096"]
        assert texts(log.page(newest.before).events) == ["0097", "0098", "0099"]


def test_times_bound_pages_in_both_directions(tmp_path: Path) -> None:
    logs = written(tmp_path, *(b"line %d\n" % number for number in range(50)), step=10)
    with AttemptLog(logs, ATTEMPT, ended=True) as log:
        bounds = {"start_time": Millis(TIME + 100), "end_time": Millis(TIME + 141)}
        expected = [f"line {number}" for number in range(10, 15)]
        assert texts(log.page(**bounds).events) == expected
        assert texts(log.page(backward=True, **bounds).events) == expected
        assert texts(log.page(backward=True, limit=2, **bounds).events) == expected[-2:]
        assert log.page(start_time=Millis(TIME + 491)).events == []
        assert log.page(end_time=TIME).events == []
        assert len(log.page(start_time=Millis(0)).events) == 50


def test_an_event_belongs_to_the_time_of_its_first_byte_also_in_filters(tmp_path: Path) -> None:
    logs = written(tmp_path, b"one\ntwo begins", b" and ends\nthree\n")
    with AttemptLog(logs, ATTEMPT, ended=True) as log:
        assert texts(log.page(start_time=Millis(TIME + 1)).events) == ["three"]
        assert texts(log.page(end_time=Millis(TIME + 1)).events) == ["one", "two begins and ends"]


def test_a_line_of_a_hundred_megabytes_is_read_from_either_end(tmp_path: Path) -> None:
    megabyte = bytes(range(32, 127)) * (1_000_000 // 95)
    logs = written(tmp_path, b"first\n", *[megabyte] * 100, b"\nlast\n")
    whole = "first" + (megabyte * 100).decode() + "last"
    with AttemptLog(logs, ATTEMPT, ended=True) as log:
        ahead = list(forwards(log))
        assert "".join(texts(ahead)) == whole
        assert max(len(event.message) for event in ahead) <= reader.PIECE_BYTES + 3
        assert backwards(log) == ahead
    with AttemptLog(logs, ATTEMPT, ended=False) as log:
        assert list(forwards(log)) == ahead


def test_characters_are_not_cut_in_two(tmp_path: Path) -> None:
    text = "yärd 日本語 🚂 " * 60_000
    logs = written(tmp_path, text.encode())
    with AttemptLog(logs, ATTEMPT, ended=True) as log:
        assert "".join(texts(list(forwards(log)))) == text


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "PIECE_BYTES", 16)
    monkeypatch.setattr(reader, "_REACH", 24)
    monkeypatch.setattr(reader, "_BLOCK_BYTES", 50)
    monkeypatch.setattr(reader, "_LINES_BYTES", 40)


@pytest.mark.usefixtures("small_pieces")
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    chunks=st.lists(
        st.lists(
            st.sampled_from([b"a", b"bc" * 9, b"\n", b"\r\n", "é".encode(), "🚂".encode(), b"\xff", b"\x00x"])
        ).map(b"".join),
        max_size=12,
    ),
    limit=st.integers(1, 5),
    split=st.integers(0, 400),
)
def test_both_directions_agree_and_lose_nothing(tmp_path: Path, chunks: list[bytes], limit: int, split: int) -> None:
    data = b"".join(chunks)
    logs = written(tmp_path, *filter(None, chunks))
    with AttemptLog(logs, ATTEMPT, ended=True) as log:
        ahead = list(forwards(log, limit=limit))
        assert backwards(log, limit=limit) == ahead
        assert list(forwards(log)) == ahead
        assert all(len(event.message) <= reader.PIECE_BYTES + 3 for event in ahead)
        pieces = [data[event.offset : following] for event, following in zip(ahead, _ends(ahead, data), strict=True)]
        assert b"".join(pieces).replace(b"\n", b"").replace(b"\r", b"") == data.replace(b"\n", b"").replace(b"\r", b"")
        for moment in range(len(chunks) + 1):
            time = Millis(TIME + moment)
            later = [event for event in ahead if event.timestamp >= time]
            assert log.page(start_time=time).events == log.page(backward=True, start_time=time).events == later
            earlier = [event for event in ahead if event.timestamp < time]
            assert log.page(end_time=time).events == log.page(backward=True, end_time=time).events == earlier
    # What was complete while the attempt ran is exactly what it will be later.
    written(tmp_path, *filter(None, [data[:split]]))
    with AttemptLog(logs, ATTEMPT, ended=False) as log:
        young = [(event.message, event.offset) for event in forwards(log)]
        assert young == [(event.message, event.offset) for event in ahead][: len(young)]
        assert [(event.message, event.offset) for event in backwards(log)] == young


def _ends(events: list[LogEvent], data: bytes) -> list[int]:
    return [*(event.offset for event in events[1:]), len(data)][: len(events)]
