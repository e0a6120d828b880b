"""FilterLogEvents: the events of many streams as one sequence, by time (F 10.3).

Events are ordered by time, then stream, then place in the stream; a page ends at one of them, and the next one begins
behind it. No stream is opened before its turn: an attempt writes nothing before it starts, so streams wait, sorted by
their start, until the sequence has come that far, and those that ended before the page begins are not looked at. A
page may end early, even empty, after looking at many streams; it is the last one only if it bears no token.
"""

import heapq
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from batchyard.api.context import Context
from batchyard.api.logs.log_references import check_range, log_group, log_page, open_log
from batchyard.core import refusals
from batchyard.core.filter_patterns import FilterPattern, parse_filter_pattern
from batchyard.core.ids import Millis
from batchyard.logs.reader import EVENT_OVERHEAD_BYTES, EVENTS_PER_PAGE, PAGE_BYTES
from batchyard.store.log_groups import LogGroup
from batchyard.store.log_streams import LogStream

_GROUP = ("logGroupName", "logGroupIdentifier")
_QUESTION = (*_GROUP, "logStreamNames", "logStreamNamePrefix", "startTime", "endTime", "filterPattern")
STREAM_NAMES_MAX = 100
_STREAMS_PER_PAGE = 1000
_EVENTS_LOOKED_AT = 100_000
_STREAMS_READ_AT_ONCE = 500
_END_OF_TIME = 1 << 62

_LATE_MILLIS = 2000
"""How long after its end an attempt's last output may still be stamped."""


class _Place(NamedTuple):
    """A place in the sequence of all events."""

    timestamp: int
    stream: str
    offset: int


class _Event(NamedTuple):
    """An event in its place; without a message it only says that nothing lies between the one before it and here."""

    place: _Place
    message: str | None
    attempt_id: str


_BEGINNING = _Place(0, "", -1)


@dataclass(frozen=True, slots=True)
class _Window:
    """Events behind `after` whose time is before `end` and not before `start`."""

    after: _Place
    start: int
    end: int


def filter_log_events(context: Context, request: dict[str, Any]) -> dict[str, Any]:
    """One page of the events that match, oldest first."""
    if request.get("startFromHead") is False:
        raise refusals.log_parameter_invalid("startFromHead=false is not available in this Batchyard.")
    group = log_group(context, request)
    pattern = parse_filter_pattern(request.get("filterPattern") or "")
    page = log_page(context, "FilterLogEvents", request, _QUESTION, largest=EVENTS_PER_PAGE)
    window = _window(request, page.after)
    with closing(_sequence(context, _streams(context, group, request, window), window)) as sequence:
        found, reached = _matching(sequence, pattern, page.limit)
    answer: dict[str, Any] = {"events": [_shown(event) for event in found], "searchedLogStreams": []}
    if reached is not None:
        answer["nextToken"] = page.token(reached)
    return answer


def _window(request: dict[str, Any], after: Sequence[Any] | None) -> _Window:
    place = _BEGINNING if after is None else _Place(*after)
    end = request.get("endTime")
    return _Window(
        after=place,
        start=max(request.get("startTime") or 0, place.timestamp),
        end=_END_OF_TIME if end is None else end,
    )


def _matching(sequence: Iterable[_Event], pattern: FilterPattern, limit: int) -> tuple[list[_Event], _Place | None]:
    """The events of a page, and the place at which it ends; None when the sequence ends with it."""
    found: list[_Event] = []
    room, reached = PAGE_BYTES, _BEGINNING
    for number, event in enumerate(sequence):
        if len(found) == limit or number == _EVENTS_LOOKED_AT:
            return found, reached
        if event.message is None:
            return found, event.place
        if pattern.matches(event.message):
            room -= len(event.message.encode()) + EVENT_OVERHEAD_BYTES
            if found and room < 0:
                return found, reached
            found.append(event)
        reached = event.place
    return found, None


def _sequence(context: Context, streams: Iterator[LogStream], window: _Window) -> Generator[_Event, None, None]:
    """The events of all streams in order. Close it, so that it closes the logs it reads."""
    heap: list[tuple[_Event, Generator[_Event, None, None]]] = []
    upcoming, opened = next(streams, None), 0
    try:
        while heap or upcoming is not None:
            while upcoming is not None and (not heap or upcoming.started_at <= heap[0][0].place.timestamp):
                opened += 1
                if opened % _STREAMS_PER_PAGE == 0 and upcoming.started_at > window.start:
                    yield _Event(_Place(upcoming.started_at, "", -1), None, "")
                _push(heap, _events(context, upcoming, window))
                upcoming = next(streams, None)
            if heap:
                event, rest = heapq.heappop(heap)
                yield event
                _push(heap, rest)
    finally:
        for _, rest in heap:
            rest.close()


def _push(heap: list[tuple[_Event, Generator[_Event, None, None]]], events: Generator[_Event, None, None]) -> None:
    event = next(events, None)
    if event is not None:
        heapq.heappush(heap, (event, events))


def _events(context: Context, stream: LogStream, window: _Window) -> Generator[_Event, None, None]:
    """The events of one stream that lie in the window."""
    with open_log(context, stream) as log:
        offset: int | None = None
        while True:
            page = log.page(offset, start_time=Millis(window.start), end_time=Millis(window.end))
            for event in page.events:
                place = _Place(event.timestamp, stream.name, event.offset)
                if place > window.after:
                    yield _Event(place, event.message, stream.log_id)
            if not page.events:
                return
            offset = page.after


def _streams(context: Context, group: LogGroup, request: dict[str, Any], window: _Window) -> Iterator[LogStream]:
    """The streams that may have events in the window, by their start."""
    names, prefix = request.get("logStreamNames") or (), request.get("logStreamNamePrefix") or ""
    if names and prefix:
        raise refusals.log_parameter_invalid("logStreamNames and logStreamNamePrefix are mutually exclusive")
    if names:
        check_range("The number of logStreamNames", len(names), 1, STREAM_NAMES_MAX)
        return iter(sorted(_named(context, group, names), key=lambda stream: (stream.started_at, stream.name)))
    return _by_start(context, group, prefix, window)


def _named(context: Context, group: LogGroup, names: Sequence[str]) -> list[LogStream]:
    found = [context.tx.log_streams.get(group, name) for name in dict.fromkeys(names)]
    if None in found:
        raise refusals.log_stream_not_found()
    return [stream for stream in found if stream is not None]


def _by_start(context: Context, group: LogGroup, prefix: str, window: _Window) -> Iterator[LogStream]:
    after = (-1, "")
    while True:
        found = context.tx.log_streams.by_start(
            group,
            prefix=prefix,
            stopped_since=Millis(window.start - _LATE_MILLIS),
            started_before=Millis(window.end),
            after=after,
            limit=_STREAMS_READ_AT_ONCE,
        )
        yield from found
        if len(found) < _STREAMS_READ_AT_ONCE:
            return
        after = (found[-1].started_at, found[-1].name)


def _shown(event: _Event) -> dict[str, Any]:
    return {
        "logStreamName": event.place.stream,
        "timestamp": event.place.timestamp,
        "message": event.message,
        "ingestionTime": event.place.timestamp,
        # CloudWatch's ids are 56 digits; the attempt and the place in its log make one that is never another's.
        "eventId": f"{int(event.attempt_id, 16):039d}{event.place.offset:017d}",
    }
