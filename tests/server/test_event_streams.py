"""A stream over real records, without a server: when it speaks, when it is silent, and what it asks meanwhile."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from batchyard.api.events.feed import Filter
from batchyard.core.ids import JobSeq, Millis
from batchyard.core.job_events import Position
from batchyard.server import event_streams
from batchyard.server.event_streams import EventStreams, HistoryBell, _Start
from batchyard.server.gate import Gate
from batchyard.store.database import Database
from batchyard.store.history import HistoryRow
from batchyard.store.transaction import Transaction


class CountingDatabase(Database):
    """Knows how often it was asked."""

    reads = 0

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        self.reads += 1
        with super().read() as tx:
            yield tx

    def add_history(self) -> None:
        """A row whose job is gone: it moves the position and tells nothing."""
        with self.write() as tx:
            tx.history.append([HistoryRow(Millis(0), JobSeq(1), None, None, "e", None, "RUNNABLE", None)])


@pytest.fixture
def database(tmp_path: Path) -> Iterator[CountingDatabase]:
    made = CountingDatabase(f"sqlite:///{tmp_path / 'yard.sqlite3'}", synchronous="OFF")
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def streams(database: CountingDatabase) -> Iterator[EventStreams]:
    def no_context(*_: object) -> Any:
        raise AssertionError("nothing is told")

    made = EventStreams(database, Gate([]), no_context)
    yield made
    made.close()
    made.wait_closed()


def beginning(streams: EventStreams) -> AsyncIterator[str]:
    return streams._stream(_Start(Position(0), Filter()))


def within(seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(work(), seconds)

    asyncio.run(bounded())


def test_a_silent_stream_says_where_it_is(
    streams: EventStreams, database: CountingDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "HEARTBEAT_SECONDS", 0.1)
    database.add_history()

    async def follow() -> None:
        stream = beginning(streams)
        assert await anext(stream) == "retry: 1000\nid: 0\n\n"
        for _ in range(2):
            assert await anext(stream) == ": heartbeat\nid: 1\n\n"

    within(10, follow)


def test_nothing_is_asked_while_nothing_happens(streams: EventStreams, database: CountingDatabase) -> None:
    async def follow() -> None:
        stream = beginning(streams)
        await anext(stream)
        told = asyncio.ensure_future(anext(stream, None))
        while database.reads < 1:
            await asyncio.sleep(0.001)
        for number in range(1, 4):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(told), 0.3)
            assert database.reads == number, "one look for each ring of the bell"
            threading.Thread(target=streams.bell.ring).start()
        streams.close()
        assert await told is None

    within(10, follow)


def test_a_bell_that_rang_before_anybody_waited_is_heard() -> None:
    async def wait() -> None:
        bell = HistoryBell()
        rung = bell.rung
        bell.ring()
        await bell.wait(rung, 60)
        waiting = [asyncio.ensure_future(bell.wait(bell.rung, 60)) for _ in range(3)]
        await asyncio.sleep(0)
        ringer = threading.Thread(target=lambda: [bell.ring() for _ in range(100)])
        ringer.start()
        await asyncio.gather(*waiting)
        ringer.join()
        started = time.monotonic()
        await bell.wait(bell.rung, 0.05)
        assert time.monotonic() - started >= 0.04

    within(10, wait)
