"""The loop: the page to read first.

One thread does all the writing. It sleeps until a bell rings (a request from the API, a message from the executor) or
something is due, and then takes *everything* that has arrived:

    1. each request runs in the tick's transaction, behind a savepoint of its own, so that a refusal undoes only itself;
    2. the tick decides all reports, due times, new jobs and placements together (engine.tick);
    3. one commit puts all of it on disk; only then are the callers answered;
    4. what the rows now expect is compared with what the executor holds (core.reconcile), and the difference ordered;
    5. the executor's journal is acknowledged up to the position that was committed with its reports.

So an answer never runs ahead of the disk, and an effect never runs ahead of its row. Killed between any two steps, the
next process finds the rows and the journal, and step 4 finds the same difference again.

Under load the loop waits a moment after each tick, so that reports come in larger batches; a request never waits for
that. If the shared part of a tick raises, the transaction is undone, its callers get the error, and the reports are
kept for the next try.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from batchyard.core import reconcile
from batchyard.core.ids import AttemptId, Millis
from batchyard.core.jobs import Attempt
from batchyard.core.placement import Room
from batchyard.engine.blocked import Blocked
from batchyard.engine.clock import Clock, Ids, RandomIds, SystemClock
from batchyard.engine.launches import BARE, LaunchSettings, launch_of
from batchyard.engine.outlook import Outlook
from batchyard.engine.pace import Pace
from batchyard.engine.retention import Retention
from batchyard.engine.shares import Holders
from batchyard.engine.snapshot import Yard
from batchyard.engine.terms import TermsCache
from batchyard.engine.tick import Outcome, Surroundings, tick
from batchyard.executors import interface as x
from batchyard.store.database import Database
from batchyard.store.transaction import Transaction, TransactionLost

log = logging.getLogger(__name__)

Request = Callable[[Transaction], Any]

Settle = Callable[[Any, BaseException | None], None]
"""Told what became of a request: its result, or the error it ended with."""

Deliver = Callable[[Sequence[Callable[[], None]]], None]
"""Runs what settles the requests of one transaction; the server has its event loop do it, waking it once for all."""

BATCHING_SECONDS = 0.04
"""How long reports may gather while the executor has work placed ahead, and so nobody waits for the next tick."""

RETRY_SECONDS = 1.0
TAKE_BACK_AFTER_MS = 500
"""An attempt placed ahead that has waited this long was a wrong guess, and is taken back."""

_POSITION = "journal position"


@dataclass(slots=True)
class Call:
    """A request that waits for its commit. changes_resources: whether it may change a queue or compute environment."""

    request: Request
    settle: Settle
    changes_resources: bool = False
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class _Held:
    """What the executor holds, as far as we know on this connection."""

    is_connected: bool = False
    attempts: set[AttemptId] = field(default_factory=set)
    being_stopped: set[AttemptId] = field(default_factory=set)
    asked_back: set[AttemptId] = field(default_factory=set)

    def forget(self, attempt_id: AttemptId) -> None:
        self.attempts.discard(attempt_id)
        self.being_stopped.discard(attempt_id)
        self.asked_back.discard(attempt_id)


class Engine:
    """Drives one database and one executor. `capacity` is what this machine lends to jobs."""

    def __init__(
        self,
        database: Database,
        executor: x.Executor,
        capacity: x.Capacity,
        *,
        clock: Clock | None = None,
        ids: Ids | None = None,
        stop_grace_seconds: float = 30.0,
        retention: Retention | None = None,
        launch_settings: LaunchSettings = BARE,
    ) -> None:
        self._database = database
        self._executor = executor
        self._capacity = capacity
        self._clock = clock or SystemClock()
        self._grace_seconds = stop_grace_seconds
        self._launch_settings = launch_settings
        self._bell = threading.Condition()
        self._calls: deque[Call] = deque()
        self._messages: deque[x.Message] = deque()
        self._is_stopping = False
        self.deliver: Deliver = _run_all
        self.history_watchers: list[Callable[[], None]] = []
        """Called on the engine's thread after each commit that added to the history; they only ring a bell."""
        self._thread: threading.Thread | None = None
        self._held = _Held()
        self._position = x.Position()
        self._active: dict[AttemptId, Attempt] = {}
        self._ahead: list[Attempt] = []
        self._outranked: tuple[AttemptId, ...] = ()
        self._unlaunchable: list[x.Report] = []
        self._due_at: Millis | None = None
        self._yard_is_stale = self._is_new_journal = self._has_new_history = False
        self._around = Surroundings(
            machine=Room(capacity.vcpus, capacity.memory_mib, capacity.gpus),
            instance_id=executor.instance_id,
            terms=TermsCache(),
            pace=Pace(),
            ids=ids or RandomIds(),
            yard=Yard({}, {}),
            blocked=Blocked(),
            retention=retention or Retention(),
            holders=Holders(),
            grace_seconds=stop_grace_seconds,
        )

    # ------------------------------------------------------------------------------------------ from outside

    def start(self) -> None:
        """Read where the journal was left, connect the executor and start the loop's thread."""
        self.prepare()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def prepare(self) -> None:
        """What `start` does before its thread; a simulation calls `step` instead of starting one."""
        with self._database.write() as tx:
            journal, _, record = (tx.engine_state.get(_POSITION) or " 0").rpartition(" ")
            self._position = x.Position(journal, int(record))
            self._around.yard = Yard.read(tx)
            self._around.blocked.read(tx)
            tx.jobs.reconsider_misfits()  # the machine may have grown
        self._configure()
        self._executor.start(self._position, self._receive)

    def stop(self) -> None:
        """Answer what has arrived, end the loop, and leave running attempts to the executor."""
        with self._bell:
            self._is_stopping = True
            self._bell.notify()
        if self._thread is not None:
            self._thread.join()
        self._executor.close()

    def call(self, request: Request, *, changes_resources: bool = False) -> "Future[Any]":
        """Run `request` in the next transaction; the future is settled once its effects are on disk.

        changes_resources: whether it may change a queue or compute environment.
        """
        future: Future[Any] = Future()

        def settle(result: Any, error: BaseException | None) -> None:
            if not future.set_running_or_notify_cancel():
                return  # Whoever waited has gone away.
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self.post([Call(request, settle, changes_resources)])
        return future

    def post(self, calls: Sequence[Call]) -> None:
        """As `call`, for many at once, whose callers want to be told by `deliver` instead of holding futures."""
        with self._bell:
            if self._is_stopping:
                raise RuntimeError("the engine is stopping")
            self._calls.extend(calls)
            self._bell.notify()

    @property
    def terms(self) -> TermsCache:
        """What jobs were submitted as; for requests that run on the engine's thread."""
        return self._around.terms

    @property
    def ids(self) -> Ids:
        """Where new ids come from."""
        return self._around.ids

    @property
    def outlook(self) -> Outlook:
        """What plans depend on besides rows, as it is now; from any thread."""
        around = self._around
        return Outlook(around.machine, around.pace, self._held.is_connected, around.grace_seconds)

    def _receive(self, message: x.Message) -> None:
        with self._bell:
            self._messages.append(message)
            self._bell.notify()

    # ------------------------------------------------------------------------------------------ the loop

    def _run(self) -> None:
        timeout: float | None = 0.0
        gather = 0.0
        while True:
            calls, messages, stopping = self._wait(timeout, gather)
            timeout, gather = self._turn(calls, messages)
            if stopping and not self._calls:
                return

    def _wait(self, timeout: float | None, gather: float) -> tuple[list[Call], list[x.Message], bool]:
        """Sleep until a request comes, or reports have gathered long enough, or something is due."""
        with self._bell:
            if gather and not self._calls and not self._is_stopping:
                self._bell.wait_for(lambda: bool(self._calls) or self._is_stopping, gather)
            self._bell.wait_for(lambda: bool(self._calls or self._messages or self._is_stopping), timeout)
            calls, messages = list(self._calls), list(self._messages)
            self._calls.clear()
            self._messages.clear()
            return calls, messages, self._is_stopping

    def step(self) -> float | None:
        """One turn of the loop for a caller without a thread; returns the seconds until something is due."""
        calls, messages, _ = self._wait(0.0, 0.0)
        return self._turn(calls, messages)[0]

    def _turn(self, calls: list[Call], messages: list[x.Message]) -> tuple[float | None, float]:
        """One turn: the seconds until something is due, and how long reports may gather before."""
        reports, position = self._read(messages)
        reports += self._unlaunchable
        try:
            outcome = self._transact(calls, reports, position)
        except BaseException as error:
            self._undo(calls, messages, error)
            if not isinstance(error, Exception):
                raise
            log.exception("a tick failed; what it was given is kept and tried again")
            return RETRY_SECONDS, RETRY_SECONDS
        try:
            self._conclude(calls, reports, position, outcome)
        except Exception:
            log.exception("the orders of a tick failed; they are derived anew")
            return RETRY_SECONDS, RETRY_SECONDS
        gather = BATCHING_SECONDS if self._ahead else 0.0
        has_more = outcome.has_more or bool(self._unlaunchable)
        return (0.0 if has_more else self._seconds_until_due()), gather

    def _undo(self, calls: list[Call], messages: list[x.Message], error: BaseException) -> None:
        """Nothing of this turn has happened: its callers are told, its messages wait for the next."""
        self._around.terms.clear()
        self._yard_is_stale = True
        self._around.retention.after_rollback()
        with self._bell:
            self._messages.extendleft(reversed(messages))
        self.deliver([partial(call.settle, None, error) for call in calls])

    def _conclude(self, calls: list[Call], reports: list[x.Report], position: x.Position, outcome: Outcome) -> None:
        """What follows from a commit: answers, orders, the acknowledgement."""
        self._active, self._outranked, self._due_at = outcome.active, outcome.outranked, outcome.due_at
        self._ahead = self._waiting_ahead()
        if calls:
            self.deliver([partial(call.settle, call.result, call.error) for call in calls])
        if self._has_new_history:
            _run_all(self.history_watchers)
        for report in reports:
            if not isinstance(report, x.AttemptStarted):
                self._held.forget(report.attempt_id)
        is_new, self._position = position != self._position, position
        self._unlaunchable = []
        self._order()
        if is_new:
            self._executor.acknowledge(position)
        self._around.retention.after_commit()

    def _read(self, messages: list[x.Message]) -> tuple[list[x.Report], x.Position]:
        """Split messages into reports to take in and what they say of the connection."""
        reports: list[x.Report] = []
        position = self._position
        for message in messages:
            match message:
                case x.Batch():
                    reports.extend(message.reports)
                    position = message.position
                case x.Observed():
                    self._held = _Held(True, set(message.attempts))
                    self._is_new_journal |= self._position.journal not in ("", message.position.journal)
                    position = message.position
                case x.ConnectionLost():
                    log.warning("the executor cannot be reached: %s", message.detail)
                    self._held = _Held()
        return reports, position

    def _transact(self, calls: list[Call], reports: list[x.Report], position: x.Position) -> Outcome:
        is_changed = self._yard_is_stale or any(call.changes_resources for call in calls)
        with self._database.write() as tx:
            for call in calls:
                self._run_call(tx, call)
            is_changed |= tx.job_queues.has_changed
            if is_changed:
                self._around.yard = Yard.read(tx)
                self._around.blocked.is_stale = True
                tx.jobs.reconsider_misfits()
            if self._yard_is_stale:
                self._around.blocked.read(tx)  # what it remembers may be of jobs that never were
            now = self._clock.now()
            outcome = tick(tx, now, [*reports, *self._lost_with_the_journal(tx, now)], self._around)
            if position != self._position:
                tx.engine_state.set(_POSITION, f"{position.journal} {position.record}")
            self._has_new_history = tx.history.has_grown
        self._yard_is_stale = False
        self._is_new_journal = False
        if is_changed:
            self._configure()
        return outcome

    def _lost_with_the_journal(self, tx: Transaction, now: Millis) -> list[x.Report]:
        """Where the journal we knew has been removed, nobody can say what it had accepted: a launch might be a second.

        So every active attempt that the new journal's executor does not hold is lost, as if its host had died.
        """
        if not self._is_new_journal:
            return []
        active = tx.attempts.active()
        return [x.AttemptLost(a.attempt_id, now) for a in active if a.attempt_id not in self._held.attempts]

    @staticmethod
    def _run_call(tx: Transaction, call: Call) -> None:
        try:
            with tx.savepoint():
                call.result = call.request(tx)
        except TransactionLost:
            raise
        except Exception as error:
            call.error = error

    # ------------------------------------------------------------------------------------------ effects

    def _configure(self) -> None:
        limits = {
            name: self._capacity.vcpus if environment.max_vcpus is None else environment.max_vcpus
            for name, environment in self._around.yard.environments.items()
        }
        self._executor.configure(
            x.Capacity(self._capacity.vcpus, self._capacity.memory_mib, self._capacity.gpus, limits)
        )

    def _order(self) -> None:
        """Order the difference between what the rows expect and what the executor holds."""
        if not self._held.is_connected:
            return
        found = reconcile.compare(self._active.values(), self._held.attempts, self._held.being_stopped)
        orders: list[x.Order] = []
        if found.launches:
            with self._database.read() as tx:
                orders += [order for attempt in found.launches if (order := self._launch(tx, attempt)) is not None]
        orders += [x.Stop(a.attempt_id, self._grace_seconds) for a in found.stops]
        orders += [x.Stop(attempt_id, 0.0) for attempt_id in found.strangers]
        orders += self._take_back()
        if orders:
            self._executor.order(orders)
        self._held.attempts.update(a.attempt_id for a in found.launches)
        self._held.attempts.difference_update(found.strangers)
        self._held.being_stopped.update(a.attempt_id for a in found.stops)

    def _launch(self, tx: Transaction, attempt: Attempt) -> x.Launch | None:
        """The order that starts an attempt. One that cannot be made fails that attempt, in the next turn, and holds
        back no other."""
        terms = self._around.terms.get(tx, attempt.key.seq)
        try:
            return launch_of(attempt, terms, self._launch_settings)
        except Exception as error:
            log.exception("job %s cannot be launched", terms.child_id(attempt.key.array_index))
            reason = f"CannotStartContainerError: no launch could be made of the job: {error}"
            self._unlaunchable.append(
                x.AttemptExited(attempt.attempt_id, self._clock.now(), None, None, reason, failed_to_start=True)
            )
            return None

    def _waiting_ahead(self) -> list[Attempt]:
        """Attempts that wait for a slot at the executor: none, unless very short jobs were placed ahead."""
        if not self._is_overdrawn():
            return []
        return [a for a in self._active.values() if a.started_at is None and a.stop_wanted is None]

    def _is_overdrawn(self) -> bool:
        """Whether more has been placed than fits at once."""
        vcpus: dict[str, float] = {}
        free = self._around.machine
        for attempt in self._active.values():
            vcpus[attempt.compute_environment] = vcpus.get(attempt.compute_environment, 0.0) + attempt.vcpus
            free = free.less(Room(attempt.vcpus, attempt.memory_mib, attempt.gpus))
        if free.vcpus < 0 or free.memory_mib < 0 or free.gpus < 0:
            return True
        environments = self._around.yard.environments
        limits = {name: e.max_vcpus for name, e in environments.items() if e.max_vcpus is not None}
        return any(used > limits.get(name, used) for name, used in vcpus.items())

    def _take_back(self) -> list[x.Order]:
        """Ask back what was placed ahead by a wrong guess, and what stands in the way of something more important."""
        before = self._clock.now() - TAKE_BACK_AFTER_MS
        stale = [attempt for attempt in self._ahead if attempt.placed_at <= before]
        for seq in {attempt.key.seq for attempt in stale}:
            terms = self._around.terms.peek(seq)
            if terms is not None and terms.definition_id is not None:
                self._around.pace.forget(terms.definition_id)
        wanted = dict.fromkeys([*(attempt.attempt_id for attempt in stale), *self._outranked])
        asked = [attempt_id for attempt_id in wanted if attempt_id not in self._held.asked_back]
        self._held.asked_back.update(asked)
        return [x.TakeBack(attempt_id) for attempt_id in asked]

    def _seconds_until_due(self) -> float | None:
        due: list[int] = [a.due_at for a in self._active.values() if a.due_at is not None and a.stop_wanted is None]
        due += [] if self._due_at is None else [self._due_at]
        due += [a.placed_at + TAKE_BACK_AFTER_MS for a in self._ahead if a.attempt_id not in self._held.asked_back]
        if not due:
            return None
        return max(0.0, (min(due) - Millis(self._clock.now())) / 1000)


def _run_all(settlements: Sequence[Callable[[], None]]) -> None:
    for settlement in settlements:
        settlement()
