"""The docker and podman executors: attempts as containers of an engine that outlives the server.

Why nothing is lost or done twice, whenever the server is killed:

* The container is the record of its attempt. It is named after it, so there is never a second one; a label says whose
  it is and what it holds; the engine keeps it, its output and its exit code until we remove it.
* Before a container may be started, the attempt is in the journal, on disk (the supervisor's kind of journal). So a
  container that waits to be started and is not in the journal was never started. One that is in it, and has not been
  started, may be about to be: it is removed, which decides it, and its job gets another attempt that counts as this
  one.
* An attempt in the journal without a container was removed by somebody else, and is lost: its host let it go.
* The end of an attempt is written to the journal and numbered, then reported. Only when the engine has committed that
  number is the container removed, and only when it is removed does the journal forget. What is done in between is
  done again after a crash, and changes nothing.

Threads: one decides (`_run`), one listens to the engine's events and lists containers whenever it begins to
(`_listen`), a few wait for the engine's answers, one or more copy output. All but the
first only bring things to the first one.
"""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from batchyard.containers.attempts import Attempts
from batchyard.containers.engine_api import EngineApi, EngineGone, EngineRefused
from batchyard.containers.finding import unenforced
from batchyard.containers.output import FileReader
from batchyard.containers.runs import Chores
from batchyard.containers.workshop import OWNER_LABEL, EngineSettings, Workshop
from batchyard.core.ids import AttemptId
from batchyard.executors.interface import (
    Batch,
    Capacity,
    ConnectionLost,
    Launch,
    Message,
    Observed,
    Order,
    Position,
    Report,
    Stop,
    TakeBack,
)
from batchyard.executors.process import instance_id
from batchyard.supervisor.journal import Journal

_WORKERS = 8
_BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
_LISTEN_BACK_SECONDS = 2
_JOURNAL_AGAIN_SECONDS = 1.0
_PRUNE_EVERY_SECONDS = 3600.0
_REPORTS_PER_BATCH = 1000
_DRAIN_SECONDS = 5.0

log = logging.getLogger(__name__)


class ContainerExecutor:
    """An engine with Docker's API, as the engine of jobs sees it (`interface.Executor`).

    `log_cap_bytes` is how much of each
    attempt's output is kept (None for all). Raises EngineGone when the engine cannot be reached at first.
    """

    def __init__(
        self,
        data: Path,
        api: EngineApi,
        settings: EngineSettings | None = None,
        *,
        log_cap_bytes: int | None = None,
    ) -> None:
        folder = data.resolve() / "containers"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.facts = api.facts()
        self.name = self.facts.kind
        self.instance_id = instance_id(folder / "instance-id")
        self._settings = settings or EngineSettings()
        self._api = api
        self._label = f"{OWNER_LABEL}={self.instance_id}"
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="container-engine")
        self._journal = Journal(folder / "journal", _boot_id())
        self._reader = FileReader()
        chores = Chores(self._submit, self._inbox.put)
        self._workshop = Workshop(data.resolve(), self.instance_id, api, self.facts, self._settings, log_cap_bytes)
        self._attempts = Attempts(self._workshop, self._journal, chores, self._reader)
        self._sink: Callable[[Message], None] = lambda _: None
        self._position = Position()
        self._acknowledged = 0
        self._removing: set[AttemptId] = set()
        self._gone: set[AttemptId] = set()
        self._has_replayed = self._is_closing = False
        self._is_connected = False
        self._is_observed = False
        self._closed = threading.Event()
        self._events: Iterator[dict[str, Any]] | None = None
        self._threads: list[threading.Thread] = []

    # ---------------------------------------------------------------------------------------------- the interface

    def start(self, after: Position, sink: Callable[[Message], None]) -> None:
        """See `Executor.start`."""
        self._sink = sink
        self._journal.leap_beyond(after)
        self._position = after
        if after.journal == self._journal.position.journal:
            self._acknowledged = after.record
        for work in (self._run, self._listen):
            thread = threading.Thread(target=work, name="container-executor", daemon=True)
            self._threads.append(thread)
            thread.start()

    def configure(self, capacity: Capacity) -> None:
        """See `Executor.configure`."""
        self._inbox.put(lambda: self._attempts.configure(capacity))

    def order(self, orders: Sequence[Order]) -> None:
        """See `Executor.order`."""
        given = list(orders)
        if given:
            self._inbox.put(lambda: self._carry_out(given))

    def acknowledge(self, position: Position) -> None:
        """See `Executor.acknowledge`."""
        self._inbox.put(lambda: self._on_acknowledged(position))

    def honours(self) -> Mapping[str, str]:
        """See `Executor.honours`."""
        return unenforced(self.facts)

    def close(self) -> None:
        """See `Executor.close`. What the engine has been asked is waited for."""
        if self._closed.is_set():
            return
        drained = threading.Event()

        def stop_starting() -> None:
            self._is_closing = True
            drained.set()

        self._inbox.put(stop_starting)
        if self._threads:
            drained.wait(_DRAIN_SECONDS)
        self._closed.set()
        self._workshop.is_closing = True
        self._hang_up()
        self._workers.shutdown(wait=True)
        self._inbox.put(lambda: None)
        for thread in self._threads:
            thread.join()
        self._reader.close()
        self._attempts.close()
        with contextlib.suppress(OSError):
            self._journal.write_anew()
        self._journal.close()

    # ------------------------------------------------------------------------------------------ the one that decides

    def _run(self) -> None:
        wait: float | None = 0.0
        while not (self._closed.is_set() and self._inbox.empty()):
            with contextlib.suppress(queue.Empty):
                work: Callable[[], None] | None = self._inbox.get(timeout=wait)
                while work is not None:
                    self._safely(work)
                    work = None if self._inbox.empty() else self._inbox.get_nowait()
            wait = self._pass()

    def _safely(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # A fault of ours about one attempt must not end the others.
            log.exception("a fault in the container executor")

    def _pass(self) -> float | None:
        """Do all that can be done; return how long to wait then."""
        wait = self._attempts.continue_closing()
        if self._is_connected and not self._is_closing:
            self._attempts.start_what_fits()
        try:
            self._write()
        except OSError as failure:
            log.error("the journal takes nothing, starts and reports are kept back: %s", failure)
            return _JOURNAL_AGAIN_SECONDS
        if self._is_connected and not self._is_observed:
            self._is_observed = True
            self._sink(Observed(self._position, frozenset(self._attempts.held)))
        return wait

    def _write(self) -> None:
        """Put what may start and what has become of attempts into the journal, then start and report. May raise
        OSError."""
        attempts = self._attempts
        if attempts.starting and not self._is_closing:
            starting = [attempt for attempt in attempts.starting if attempt.attempt_id in attempts.held]
            if fresh := [a.attempt_id for a in starting if a.attempt_id not in self._journal.live]:
                self._journal.accept(fresh)
            attempts.starting = []
            attempts.start_accepted(starting)
        if attempts.became:
            numbered = self._journal.add(attempts.became)
            attempts.became = []
            self._report(numbered)

    def _report(self, numbered: Sequence[tuple[int, Report]]) -> None:
        name = self._journal.position.journal
        for first in range(0, len(numbered), _REPORTS_PER_BATCH):
            some = numbered[first : first + _REPORTS_PER_BATCH]
            self._position = Position(name, some[-1][0])
            self._sink(Batch(self._position, tuple(report for _, report in some)))

    def _carry_out(self, orders: Sequence[Order]) -> None:
        if not self._is_observed:
            return
        for order in orders:
            if isinstance(order, Launch):
                self._attempts.launch(order)
            elif isinstance(order, Stop):
                self._attempts.stop(order.attempt_id, order.grace_seconds)
            elif isinstance(order, TakeBack):
                self._attempts.take_back(order.attempt_id)

    # --------------------------------------------------------------------------------------- what is over and done

    def _on_acknowledged(self, position: Position) -> None:
        if position.journal == self._journal.position.journal:
            self._acknowledged = max(self._acknowledged, position.record)
            self._tidy()

    def _tidy(self) -> None:
        """Remove what acknowledged attempts have left, and forget those of which nothing is left."""
        for attempt_id, number in self._journal.ended.items():
            if number <= self._acknowledged and attempt_id not in self._removing | self._gone and self._is_connected:
                self._removing.add(attempt_id)
                left = self._attempts.left.get(attempt_id)
                self._attempts.runs.clean_up(attempt_id, left, partial(self._forget, attempt_id))

    def _forget(self, attempt_id: AttemptId) -> None:
        self._removing.discard(attempt_id)
        self._attempts.left.pop(attempt_id, None)
        ended = self._journal.ended
        if attempt_id not in ended:
            return
        self._gone.add(attempt_id)
        left = [number for other, number in ended.items() if number <= self._acknowledged and other not in self._gone]
        safe = min(left) - 1 if left else self._acknowledged
        with contextlib.suppress(OSError):
            self._journal.acknowledge(Position(self._journal.position.journal, safe))
        self._gone &= ended.keys()

    # ------------------------------------------------------------------------------------------ the one that listens

    def _listen(self) -> None:
        failures = 0
        while not self._closed.is_set():
            try:
                self._events = self._api.events(self._label, int(time.time()) - _LISTEN_BACK_SECONDS)
                found = self._api.containers(self._label)
                self._inbox.put(partial(self._on_connected, found))
                failures = 0
                for event in self._events:
                    self._inbox.put(partial(self._attempts.runs.on_event, event))
                raise EngineGone("the engine ended its stream of events")
            except Exception as failure:
                if self._closed.is_set():
                    return
                detail = f"{self.name} at {self._api.address} does not answer: {failure}"
                if not isinstance(failure, EngineGone | EngineRefused):
                    log.exception("a fault while listening to the engine")
                self._inbox.put(partial(self._on_lost, detail))
                self._closed.wait(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
                failures += 1

    def _on_connected(self, found: list[dict[str, Any]]) -> None:
        if not self._has_replayed:
            self._has_replayed = True
            self._report(list(self._journal.reports_after(self._position)))
        self._is_connected = True
        self._removing.clear()
        self._attempts.reconcile(found)
        self._tidy()
        if self._settings.prune_images_after_hours is not None:
            self._prune(self._settings.prune_images_after_hours)

    def _on_lost(self, detail: str) -> None:
        self._is_connected = self._is_observed = False
        self._sink(ConnectionLost(detail))

    def _prune(self, hours: int) -> None:
        """Remove old images now and every hour, as long as this connection lasts."""

        def again() -> None:
            if not self._closed.wait(_PRUNE_EVERY_SECONDS) and self._is_connected:
                self._prune(hours)

        def work() -> None:
            with contextlib.suppress(EngineGone, EngineRefused):
                if freed := self._api.prune_images(hours):
                    log.info("old images removed: %d bytes", freed)
            threading.Thread(target=again, name="image-cache", daemon=True).start()

        self._submit(work)

    def _hang_up(self) -> None:
        if (close := getattr(self._events, "close", None)) is not None:
            with contextlib.suppress(Exception):  # It may be closing already.
                close()

    def _submit(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # Closed: the next server asks again.
            self._workers.submit(work)


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
