"""`GET /events`: job state change events as server-sent events, from any point of the history, and on as they happen.

The form is that of server-sent events in HTML (`id`, `event`, `data`, `retry`). A client that loses its connection
hands back the last id that it saw, in the header `Last-Event-ID`, and misses nothing. Each stream reads the history in
pages at the pace of its client, in a thread; while nothing happens it waits for the engine to say that a commit has
added to the history, and asks the database nothing.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from batchyard.api.batch.job_references import find_job, parse_job_id
from batchyard.api.context import Context
from batchyard.api.events.feed import Feed, Filter, Page
from batchyard.api.references import name_of
from batchyard.core import access, refusals
from batchyard.core.access import Principal
from batchyard.core.ids import Arn
from batchyard.core.job_events import Position
from batchyard.core.jobs import JobKey, JobStatus
from batchyard.core.refusals import Refusal
from batchyard.server.gate import Gate
from batchyard.server.page_callers import page_caller
from batchyard.store.database import Database
from batchyard.store.transaction import Transaction
from batchyard.wire import faults

READERS = 2
HEARTBEAT_SECONDS = 15.0
"""How long a stream is silent at most, so that neither end nor a proxy between takes it for dead."""

PACE_SECONDS = 0.05
"""The least time between two looks of one stream at a history that it has caught up with."""

RECONNECT_MS = 1000

_PARAMETERS = ("after", "follow", "job", "last-event-id", "queue", "status")
_OPERATION = "batch.GetEvents"
"""What AccessDeniedException calls it, for want of a name of AWS's."""

log = logging.getLogger(__name__)


class HistoryBell:
    """Wakes streams on the event loop when the engine's thread has committed history."""

    def __init__(self) -> None:
        self.rung = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self._is_waking = False

    def ring(self) -> None:
        """From any thread; next to nothing while nobody waits."""
        self.rung += 1
        if self._waiting and self._loop is not None and not self._is_waking:
            self._is_waking = True
            with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever waited
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._is_waking = False
        for each in self._waiting:
            each.set()

    async def wait(self, rung: int, seconds: float) -> None:
        """Until it rings, or has rung since `rung` was read from it, or the time is over."""
        self._loop = asyncio.get_running_loop()
        mine = asyncio.Event()
        self._waiting.add(mine)
        try:
            if self.rung == rung:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(mine.wait(), seconds)
        finally:
            self._waiting.discard(mine)


class _Start(NamedTuple):
    position: Position
    wanted: Filter
    follows: bool = True


class EventStreams:
    """The streams of one server. gate: who is let in. context_in: the context of a transaction, a region and a caller.

    `bell` is to ring after each commit that added to the history.
    """

    def __init__(
        self, database: Database, gate: Gate, context_in: Callable[[Transaction, str, Principal | None], Context]
    ) -> None:
        self.bell = HistoryBell()
        self.route = Route("/events", self._answer, methods=["GET"])
        self._database = database
        self._gate = gate
        self._context_in = context_in
        self._readers = ThreadPoolExecutor(READERS, "events")
        self._is_closed = threading.Event()

    def close(self) -> None:
        """End every stream; clients come back with the last id that they saw."""
        self._is_closed.set()
        self.bell.ring()

    def wait_closed(self) -> None:
        """Wait for reads under way."""
        self._readers.shutdown()

    async def _answer(self, request: Request) -> Response:
        region, principal = page_caller(self._gate, request)
        loop = asyncio.get_running_loop()
        start = await loop.run_in_executor(
            self._readers, self._start, request.query_params, request.headers.get("last-event-id"), region, principal
        )
        no_store = {"cache-control": "no-store"}
        if request.method == "HEAD":
            return Response(None, 200, no_store, "text/event-stream")
        return StreamingResponse(self._stream(start), 200, no_store, "text/event-stream")

    # ------------------------------------------------------------------------------------------ what is asked for

    def _start(self, query: QueryParams, last_event_id: str | None, region: str, principal: Principal | None) -> _Start:
        """Where to begin and what to tell. Raises Fault or Refusal."""
        for name in query:
            if name not in _PARAMETERS and not name.startswith("X-Amz-"):
                raise faults.client_exception(f"There is no parameter {name!r}. Known: {', '.join(_PARAMETERS)}.")
        statuses = tuple(_status(text) for text in query.getlist("status"))
        with self._database.read() as tx:
            context = self._context_in(tx, region, principal)
            queues = _queues(context, query.getlist("queue"))
            job = _job(context, query["job"]) if "job" in query else None
            position = _position(tx, last_event_id or query.get("last-event-id") or query.get("after"))
        return _Start(position, Filter(queues, job, statuses), query.get("follow", "true") != "false")

    # ------------------------------------------------------------------------------------------ what is told

    async def _stream(self, start: _Start) -> AsyncIterator[str]:
        loop, position = asyncio.get_running_loop(), start.position
        feed = Feed(lambda tx, region: self._context_in(tx, region, None), start.wanted)
        yield f"retry: {RECONNECT_MS}\nid: {position}\n\n"
        silent_since = time.monotonic()
        while not self._is_closed.is_set():
            rung, looked_at = self.bell.rung, time.monotonic()
            page = await loop.run_in_executor(self._readers, self._read, feed, position)
            position = page.position
            if text := _written(page):
                yield text
                silent_since = time.monotonic()
            elif time.monotonic() - silent_since >= HEARTBEAT_SECONDS:
                yield f": heartbeat\nid: {position}\n\n"
                silent_since = time.monotonic()
            if page.is_last and not start.follows:
                return
            if page.is_last:
                await asyncio.sleep(max(0.0, looked_at + PACE_SECONDS - time.monotonic()))
                await self.bell.wait(rung, silent_since + HEARTBEAT_SECONDS - time.monotonic())

    def _read(self, feed: Feed, position: Position) -> Page:
        with self._database.read() as tx:
            return feed.read(tx, position)


def _written(page: Page) -> str:
    """A page as server-sent events; what was forgotten meanwhile is said first."""
    parts = []
    if page.forgotten is not None:
        gap = msgspec.json.encode({"oldest": str(page.forgotten)}).decode()
        parts.append(f"id: {page.forgotten - 1}\nevent: gap\ndata: {gap}\n\n")
    parts += [
        f"id: {event.position}\nevent: {event.detail_type}\ndata: {event.body.decode()}\n\n" for event in page.events
    ]
    return "".join(parts)


def _status(text: str) -> JobStatus:
    try:
        return JobStatus(text)
    except ValueError:
        raise faults.client_exception(f"{text!r} is no status of a job. Known: {', '.join(JobStatus)}.") from None


def _queues(context: Context, references: list[str]) -> frozenset[str] | None:
    """The names of the queues that are asked for, or else of those that the caller may see; None for all."""
    principal = context.principal
    if not references:
        return None if principal is None else principal.queues
    names = frozenset(name_of(reference, "job-queue") for reference in references)
    for name in sorted(names):
        if principal is not None and not access.may_use_queue(principal, name):
            raise _denied(context, principal, context.arn(f"job-queue/{name}"))
    return names


def _job(context: Context, job_id: str) -> JobKey:
    found = find_job(context.tx, parse_job_id(job_id))
    if found is None:
        raise faults.client_exception(f"There is no job {job_id!r}.")
    row, key = found
    principal = context.principal
    if principal is not None and not access.may_use_queue(principal, context.tx.jobs.terms(row.seq).queue):
        raise _denied(context, principal, context.arn(f"job/{row.job_id}"))
    return key


def _denied(context: Context, principal: Principal, resource: Arn) -> Refusal:
    user = f"arn:{context.settings.partition}:iam::{context.settings.account}:user/{principal.name}"
    return refusals.not_authorized(user, _OPERATION, resource)


def _position(tx: Transaction, text: str | None) -> Position:
    """Where to go on; behind the newest event if nothing is said."""
    newest = tx.history.newest()
    if text is None:
        return Position(newest)
    position = Position.parse(text)
    if position is None:
        raise faults.client_exception(
            f"{text!r} is no id of an event. Give one that an event came with, or 0 for the beginning."
        )
    if position.last_passed > newest:
        raise faults.client_exception(
            f"There has been no event {text} yet: the newest is {newest}. Perhaps it is of another yard."
        )
    return position
