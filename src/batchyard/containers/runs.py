"""The life of one container, decided in one thread; what asks the engine is done by others and told here.

made (it exists) -> started -> its end is told by the engine's events -> judged -> its output is all in the log -> over.
When to start and stop it is decided in `containers/attempts.py`.
"""

import heapq
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, TypeVar

import psutil

from batchyard.containers.creation import CannotStart
from batchyard.containers.engine_api import ContainerState, EngineGone
from batchyard.containers.output import EngineTail, FileReader, FileTail, Transcript
from batchyard.containers.terms import Member, Terms
from batchyard.containers.workshop import Made, Workshop
from batchyard.core.ids import AttemptId, Millis
from batchyard.core.reasons import OUT_OF_MEMORY
from batchyard.executors.interface import AttemptExited, AttemptLost, AttemptReturned, Launch
from batchyard.supervisor.journal import End

_LOOK_AGAIN_SECONDS = 0.5
_BY_SIGNAL = 128
UNSTARTED = ("created", "configured", "initialized")

log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Phase(Enum):
    """How far a container has come. In STARTING the engine has been asked, and may or may not have done it."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"


@dataclass(slots=True, eq=False)
class Run:
    """One container. `run_id` is what it is named after: the attempt's id for the first of its attempt. `asked` counts
    what the engine has been asked about it and not answered; `is_doubted` that its end by a signal was looked at
    twice. `verdict` is how it ended, as if it were all of its attempt."""

    run_id: AttemptId
    attempt_id: AttemptId
    terms: Terms
    phase: Phase = Phase.WAITING
    container_id: str | None = None
    asked: int = 0
    started_at: Millis | None = None
    kill_at: float | None = None
    tail: FileTail | EngineTail | None = None
    is_output_done: bool = False
    is_doubted: bool = False
    is_over: bool = False
    verdict: End | None = None

    @property
    def member(self) -> Member:
        """What it is in its attempt."""
        return self.terms.members[self.terms.position]


class Chores:
    """Runs what takes time elsewhere and brings the answer back to the one thread."""

    def __init__(self, submit: Callable[[Callable[[], None]], None], post: Callable[[Callable[[], None]], None]):
        self._submit = submit
        self.post = post

    def do(self, work: Callable[[], Result], then: Callable[[Result], None], fail: Callable[[Exception], None]) -> None:
        """Do the work in another thread; then call one of the two in ours."""

        def run() -> None:
            try:
                result = work()
            except Exception as failure:
                problem = failure
                self.post(lambda: fail(problem))
            else:
                self.post(lambda: then(result))

        self._submit(run)


class Owner(Protocol):
    """Who is told what becomes of containers."""

    def on_made(self, run: Run) -> None:
        """It exists and waits to be started."""

    def on_started(self, run: Run) -> None:
        """It runs since `started_at`."""

    def on_over(self, run: Run, end: End) -> None:
        """It has ended, its log is complete; called once."""


class Runs:
    """All containers of a data folder."""

    def __init__(self, workshop: Workshop, chores: Chores, reader: FileReader, owner: Owner) -> None:
        self._workshop = workshop
        self._chores = chores
        self._reader = reader
        self._owner = owner
        self._by_container: dict[str, Run] = {}
        self._due: list[tuple[float, AttemptId, str, Run]] = []
        self._booted_at = Millis(int(psutil.boot_time() * 1000))

    # ---------------------------------------------------------------------------------------------------- start

    def make(self, run: Run, launch: Launch, hide_gpus: bool) -> None:
        """Have its container made; `Owner.on_made` tells."""
        terms = run.terms
        self._ask(run, lambda: self._workshop.make(launch, terms, hide_gpus), lambda made: self._on_made(run, made))

    def _on_made(self, run: Run, made: Made) -> None:
        if run.is_over:  # It was dropped meanwhile.
            self.clean_up(run.attempt_id, made.terms, lambda: None)
            return
        self.know(run, made)
        self._owner.on_made(run)

    def know(self, run: Run, made: Made) -> None:
        """This is its container."""
        run.terms, run.container_id = made.terms, made.container_id
        self._by_container[made.container_id] = run

    def start(self, run: Run) -> None:
        """Start its container; `Owner.on_started` tells."""
        run.phase = Phase.STARTING
        self._ask(run, lambda: self._workshop.start(_id(run)), lambda at: self._on_started(run, at))

    def _on_started(self, run: Run, at: Millis) -> None:
        run.phase, run.started_at = Phase.RUNNING, at
        self._follow(run)
        if run.kill_at is not None:
            self._signal(run, self._workshop.ask_to_end)
            self._later(run, run.kill_at, "kill")
        self._owner.on_started(run)
        if run.is_doubted:  # Its end was told before its start was answered.
            run.is_doubted = False
            self._judge(run)

    def stop(self, run: Run, grace_seconds: float) -> None:
        """Its image's stop signal, as soon as it runs, and SIGKILL when the grace is over; a later call may only
        shorten the grace."""
        if run.verdict is not None or run.is_over:
            return
        kill_at = time.monotonic() + max(0.0, grace_seconds)
        if run.kill_at is None and run.phase is Phase.RUNNING:
            self._signal(run, self._workshop.ask_to_end)
        if run.kill_at is None or kill_at < run.kill_at:
            run.kill_at = kill_at
            self._later(run, kill_at, "kill")

    # ------------------------------------------------------------------------------------------------------ end

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Something has happened to a container."""
        run = self._by_container.get((event.get("Actor") or {}).get("ID") or event.get("id") or "")
        action = event.get("Action") or event.get("status") or ""
        if run is None or action not in ("die", "died", "destroy", "remove"):
            return
        if run.phase is Phase.RUNNING:
            self._judge(run)
        elif run.phase is Phase.STARTING:
            run.is_doubted = True
        elif action in ("destroy", "remove"):
            self._finish(run, AttemptReturned(run.run_id, now_millis()))

    def continue_closing(self) -> float | None:
        """Do what is due; return after how many seconds to call again."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, _, what, run = heapq.heappop(self._due)
            if run.is_over or run.phase is Phase.WAITING:
                continue
            if what == "judge":
                self._judge(run)
            elif run.phase is Phase.RUNNING and what == "kill" and run.verdict is None:
                self._signal(run, self._workshop.kill)
            elif run.phase is Phase.RUNNING and what == "follow" and run.tail is None:
                self._follow(run)
        return self._due[0][0] - now if self._due else None

    def _later(self, run: Run, at: float, what: str) -> None:
        heapq.heappush(self._due, (at, run.run_id, what, run))

    def _judge(self, run: Run) -> None:
        if run.verdict is None:
            self._ask(run, lambda: self._workshop.state(_id(run)), lambda state: self._on_state(run, state))

    def _on_state(self, run: Run, state: ContainerState | None) -> None:
        if run.verdict is not None or run.is_over:
            return
        if state is None or self._ended_by_power_loss(run, state):
            self._conclude(run, AttemptLost(run.run_id, now_millis(), run.started_at))
        elif state.status in ("exited", "dead", "removing", "stopped"):
            self._weigh(run, state)
        elif run.started_at is None:  # Adopted, and found to run.
            self._on_started(run, state.started_at or now_millis())

    def _ended_by_power_loss(self, run: Run, state: ContainerState) -> bool:
        started = run.started_at or state.started_at
        return (
            started is not None
            and started < self._booted_at
            and (state.finished_at is None or state.finished_at >= self._booted_at)
        )

    def _weigh(self, run: Run, state: ContainerState) -> None:
        """How it ended. Killed by nobody we know of, it may be about to be removed: looked at once more."""
        was_stopped = run.kill_at is not None
        short = self._workshop.ran_out_of_memory(run.run_id, state, was_stopped)
        if state.exit_code > _BY_SIGNAL and not was_stopped and not short and not run.is_doubted:
            run.is_doubted = True
            self._later(run, time.monotonic() + _LOOK_AGAIN_SECONDS, "judge")
            return
        started_at = run.started_at or state.started_at
        at = max(state.finished_at or now_millis(), started_at or Millis(0))
        reason = OUT_OF_MEMORY if short else None
        run.started_at = started_at
        self._conclude(run, AttemptExited(run.run_id, at, started_at, state.exit_code, reason))

    def _conclude(self, run: Run, verdict: End) -> None:
        """It has ended so; reported when its output is complete."""
        run.verdict = verdict
        if run.tail is None and not isinstance(verdict, AttemptLost):
            self._follow(run)
        if isinstance(run.tail, FileTail):
            self._reader.finish(run.tail)
        elif isinstance(verdict, AttemptLost) or run.is_output_done:
            self._finish(run, verdict)

    def _follow(self, run: Run) -> None:
        """Copy its output into its log from now on; two at once would write everything twice."""
        if isinstance(run.tail, EngineTail):
            run.tail.close()
        writer = self._workshop.log(run.run_id)
        transcript = Transcript(writer, max(0, writer.resume() - run.terms.log_bytes))
        run.is_output_done = False

        def done() -> None:
            writer.close()
            self._chores.post(lambda: self._on_output_done(run, tail))

        def broken() -> None:
            writer.close()
            self._chores.post(lambda: self._on_output_broken(run, tail))

        tail: FileTail | EngineTail
        if self._workshop.keeps_files:
            tail = FileTail(self._workshop.raw_output(run.run_id), transcript, done)
            self._reader.follow(tail)
        else:
            tail = EngineTail(lambda since: self._workshop.api.output(_id(run), since), transcript, done, broken)
        run.tail = tail

    def _on_output_done(self, run: Run, tail: object) -> None:
        if run.tail is not tail:
            return
        run.is_output_done = True
        if run.verdict is not None:
            self._finish(run, run.verdict)

    def _on_output_broken(self, run: Run, tail: object) -> None:
        """Its end was not reached, and it has not been seen that the container is gone: begun anew in a while."""
        if run.tail is tail and not run.is_over:
            run.tail = None
            self._later(run, time.monotonic() + _LOOK_AGAIN_SECONDS, "follow")

    def _finish(self, run: Run, end: End) -> None:
        if run.is_over:
            return
        self.drop(run)
        self._owner.on_over(run, end)

    def drop(self, run: Run) -> None:
        """Think of it no more."""
        run.is_over = True
        if run.container_id is not None:
            self._by_container.pop(run.container_id, None)

    def clean_up(self, attempt_id: AttemptId, terms: Terms | None, done: Callable[[], None]) -> None:
        """Remove what is left of an attempt; if the engine does not answer, a later connection tries again."""
        self._chores.do(
            lambda: self._workshop.clean_up(attempt_id, terms),
            lambda _: done(),
            lambda failure: log.info("%s is not cleaned up: %s", attempt_id, failure),
        )

    # ----------------------------------------------------------------------------------------------- connections

    def catch_up(self, run: Run, entry: Mapping[str, Any] | None, is_of_another_boot: bool) -> None:
        """What has become of a container meanwhile. `entry` is what the engine's list says of it, if it is there."""
        if run.phase is Phase.WAITING:
            if entry is None:
                self._finish(run, AttemptReturned(run.run_id, now_millis()))
        elif entry is None:
            self._conclude(run, AttemptLost(run.run_id, now_millis(), run.started_at))
        elif entry.get("State") in UNSTARTED:
            self._catch_up_unstarted(run, is_of_another_boot)
        else:
            if run.phase is Phase.RUNNING and (run.tail is None or isinstance(run.tail, EngineTail)):
                self._follow(run)
            self._judge(run)

    def follow_again(self, run: Run) -> None:
        """Its end is known, but its output was not read to the end when the connection was lost."""
        if isinstance(run.tail, EngineTail) and not run.is_output_done:
            self._follow(run)

    def _catch_up_unstarted(self, run: Run, is_of_another_boot: bool) -> None:
        """The engine was asked to start it and has not, yet: the request may still be on its way. Removing the
        container decides it, since what is removed can never start; its job is then given another attempt."""
        if run.started_at is not None or is_of_another_boot:
            self._conclude(run, AttemptLost(run.run_id, now_millis(), run.started_at))
            return

        def then(is_gone: bool) -> None:
            if is_gone:
                self._finish(run, AttemptReturned(run.run_id, now_millis()))
            else:
                self._judge(run)

        self._ask(run, lambda: self._workshop.withdraw(_id(run)), then)

    # ------------------------------------------------------------------------------------------------ the engine

    def _signal(self, run: Run, send: Callable[[str], None]) -> None:
        self._ask(run, lambda: send(_id(run)), lambda _: None)

    def _ask(self, run: Run, work: Callable[[], Result], then: Callable[[Result], None]) -> None:
        """Ask the engine about a container. Without an answer the next connection finds out."""
        run.asked += 1

        def answered(result: Result) -> None:
            run.asked -= 1
            then(result)

        def failed(failure: Exception) -> None:
            run.asked -= 1
            if isinstance(failure, CannotStart):
                self.fail(run, str(failure))
            elif not isinstance(failure, EngineGone):
                log.error("the engine's answer about %s is not understood: %s", run.run_id, failure)

        self._chores.do(work, answered, failed)

    def fail(self, run: Run, reason: str) -> None:
        """It cannot be made or started."""
        self._finish(
            run,
            AttemptExited(
                run.run_id, now_millis(), started_at=None, exit_code=None, reason=reason, failed_to_start=True
            ),
        )


def now_millis() -> Millis:
    """The wall clock."""
    return Millis(time.time_ns() // 1_000_000)


def _id(run: Run) -> str:
    assert run.container_id is not None
    return run.container_id
