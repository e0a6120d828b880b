"""The life of attempts as containers, decided in one thread; what asks the engine is done by others and told here.

made (the container exists) -> its turn has come (it holds its slot) -> accepted in the journal -> started -> its end is
told by the engine's events -> judged -> its output is all in the log -> ended. Making comes before waiting, so that the
container itself is what keeps an attempt in the queue across a restart; only what needs GPUs is made when it has them.
"""

import heapq
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, TypeVar

import msgspec
import psutil

from batchyard.containers.creation import CannotStart
from batchyard.containers.engine_api import ContainerState, EngineGone
from batchyard.containers.output import EngineTail, FileReader, FileTail, Transcript
from batchyard.containers.workshop import ATTEMPT_LABEL, TERMS_LABEL, Made, Terms, Workshop
from batchyard.core.ids import AttemptId, Millis
from batchyard.core.reasons import OUT_OF_MEMORY
from batchyard.executors.interface import AttemptExited, AttemptLost, AttemptReturned, Capacity, Launch
from batchyard.supervisor.journal import End, Journal, Running
from batchyard.supervisor.slots import Holding, Slots

_LOOK_AGAIN_SECONDS = 0.5
_BY_SIGNAL = 128

log = logging.getLogger(__name__)
Result = TypeVar("Result")


class Phase(Enum):
    """How far an attempt has come. In STARTING the engine has been asked, and may or may not have done it."""

    WAITING = "waiting"
    STARTING = "starting"
    RUNNING = "running"


@dataclass(slots=True)
class Held:
    """One attempt. `launch` is None when only its container's label knows of it, after a restart. `asked` counts what
    the engine has been asked about it and not answered; `is_doubted` that its end by a signal was looked at twice."""

    attempt_id: AttemptId
    terms: Terms
    launch: Launch | None
    phase: Phase = Phase.WAITING
    container_id: str | None = None
    holding: Holding | None = None
    asked: int = 0
    started_at: Millis | None = None
    kill_at: float | None = None
    tail: FileTail | EngineTail | None = None
    is_output_done: bool = False
    is_doubted: bool = False
    verdict: End | None = None


class Chores:
    """Runs what takes time elsewhere and brings the answer back to the one thread. `Do.do` is given by the executor."""

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


class Attempts:
    """All attempts of a data folder. `journal` is told of starts through `starting` and `became`, which the executor
    writes down together at the end of each pass."""

    def __init__(self, workshop: Workshop, journal: Journal, chores: Chores, reader: FileReader) -> None:
        self.held: dict[AttemptId, Held] = {}
        self.starting: list[Held] = []
        self.became: list[Running | End] = []
        self.volumes: dict[AttemptId, tuple[str, ...]] = {}
        self._workshop = workshop
        self._journal = journal
        self._chores = chores
        self._reader = reader
        self._slots = Slots()
        self._queue: OrderedDict[AttemptId, Held] = OrderedDict()
        self._by_container: dict[str, Held] = {}
        self._due: list[tuple[float, AttemptId, str]] = []
        self._number = 0
        self._booted_at = Millis(int(psutil.boot_time() * 1000))

    # --------------------------------------------------------------------------------------------------- orders

    def configure(self, capacity: Capacity) -> None:
        """What attempts may hold together from now on."""
        self._slots.configure(capacity)

    def launch(self, launch: Launch) -> None:
        """Queue an attempt, unless it was ever accepted."""
        if self._knows(launch.attempt_id):
            return
        self._number += 1
        terms = Terms(
            self._number,
            launch.job_id,
            launch.compute_environment,
            launch.vcpus,
            launch.memory_mib,
            stop_timeout_seconds=launch.containers[0].stop_timeout_seconds,
        )
        held = Held(launch.attempt_id, terms, launch)
        self.held[launch.attempt_id] = self._queue[launch.attempt_id] = held
        if not launch.gpus:
            self._make(held)

    def _knows(self, attempt_id: AttemptId) -> bool:
        """Whether it was ever accepted, as far as that is not yet forgotten."""
        unwritten = any(record.attempt_id == attempt_id for record in self.became)
        return attempt_id in self.held or unwritten or self._journal.knows(attempt_id)

    def take_back(self, attempt_id: AttemptId) -> None:
        """Return the attempt if it still waits."""
        if attempt_id in self._queue:
            self._end(self.held[attempt_id], AttemptReturned(attempt_id, now_millis()))

    def stop(self, attempt_id: AttemptId, grace_seconds: float) -> None:
        """Drop the attempt if it waits; else its image's stop signal, and SIGKILL when the grace is over."""
        held = self.held.get(attempt_id)
        if held is None or held.verdict is not None:
            return
        if attempt_id in self._queue:
            self._end(held, AttemptExited(attempt_id, now_millis(), started_at=None, exit_code=None))
            return
        if grace_seconds and held.terms.stop_timeout_seconds is not None:
            grace_seconds = held.terms.stop_timeout_seconds
        kill_at = time.monotonic() + max(0.0, grace_seconds)
        if held.kill_at is None and held.phase is Phase.RUNNING:
            self._signal(held, self._workshop.ask_to_end)
        if held.kill_at is None or kill_at < held.kill_at:
            held.kill_at = kill_at
            heapq.heappush(self._due, (kill_at, attempt_id, "kill"))

    # ---------------------------------------------------------------------------------------------------- start

    def start_what_fits(self) -> None:
        """Give waiting attempts their slots, first come first served; one that does not fit holds up those behind."""
        while self._queue:
            held = next(iter(self._queue.values()))
            holding = self._slots.take(held.launch or _bare_launch(held))
            if holding is None:
                break
            del self._queue[held.attempt_id]
            held.holding = holding
            if held.container_id is not None:
                self.starting.append(held)
            elif not held.asked:
                self._make(held)

    def start_accepted(self, accepted: list[Held]) -> None:
        """Start these, which are in the journal now."""
        for held in accepted:
            if self.held.get(held.attempt_id) is held and held.verdict is None:
                self._start(held)

    def _start(self, held: Held) -> None:
        held.phase = Phase.STARTING
        self._ask(held, lambda: self._workshop.start(_id(held)), lambda at: self._on_started(held, at))

    def _make(self, held: Held) -> None:
        launch = held.launch
        if launch is None:
            return
        gpus = held.holding.gpus if held.holding else ()
        terms = replace(held.terms, gpu_numbers=gpus) if gpus else held.terms
        hide = self._slots.has_gpus
        self._ask(held, lambda: self._workshop.make(launch, terms, hide), lambda made: self._on_made(held, made))

    def _on_made(self, held: Held, made: Made) -> None:
        if self.held.get(held.attempt_id) is not held:  # It was dropped meanwhile.
            self.clean_up(held.attempt_id, made.terms.volumes, lambda: None)
            return
        held.terms, held.container_id = made.terms, made.container_id
        self._by_container[made.container_id] = held
        self.volumes[held.attempt_id] = made.terms.volumes
        if held.holding is not None:
            self.starting.append(held)

    def _on_started(self, held: Held, at: Millis) -> None:
        held.phase, held.started_at = Phase.RUNNING, at
        self.became.append(Running(held.attempt_id, at, 0, 0))
        self._follow(held)
        if held.kill_at is not None:
            self._signal(held, self._workshop.ask_to_end)
            heapq.heappush(self._due, (held.kill_at, held.attempt_id, "kill"))
        if held.is_doubted:  # Its end was told before its start was answered.
            held.is_doubted = False
            self._judge(held)

    # ------------------------------------------------------------------------------------------------------ end

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Something has happened to a container."""
        held = self._by_container.get((event.get("Actor") or {}).get("ID") or event.get("id") or "")
        action = event.get("Action") or event.get("status") or ""
        if held is None or action not in ("die", "died", "destroy", "remove"):
            return
        if held.phase is Phase.RUNNING:
            self._judge(held)
        elif held.phase is Phase.STARTING:
            held.is_doubted = True
        elif action in ("destroy", "remove"):
            self._end(held, AttemptReturned(held.attempt_id, now_millis()))

    def continue_closing(self) -> float | None:
        """Do what is due; return after how many seconds to call again."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            _, attempt_id, what = heapq.heappop(self._due)
            held = self.held.get(attempt_id)
            if held is not None and what == "follow":
                if held.tail is None and held.phase is Phase.RUNNING:
                    self._follow(held)
                continue
            if held is None or held.verdict is not None or held.phase is not Phase.RUNNING:
                continue
            if what == "kill":
                self._signal(held, self._workshop.kill)
            else:
                self._judge(held)
        return self._due[0][0] - now if self._due else None

    def _judge(self, held: Held) -> None:
        if held.verdict is None:
            self._ask(held, lambda: self._workshop.state(_id(held)), lambda state: self._on_state(held, state))

    def _on_state(self, held: Held, state: ContainerState | None) -> None:
        if held.verdict is not None or held.attempt_id not in self.held:
            return
        if state is None or self._ended_by_power_loss(held, state):
            self._conclude(held, AttemptLost(held.attempt_id, now_millis(), held.started_at))
        elif state.status in ("exited", "dead", "removing", "stopped"):
            self._weigh(held, state)
        elif held.started_at is None:  # Adopted, and found to run.
            self._on_started(held, state.started_at or now_millis())

    def _ended_by_power_loss(self, held: Held, state: ContainerState) -> bool:
        started = held.started_at or state.started_at
        return (
            started is not None
            and started < self._booted_at
            and (state.finished_at is None or state.finished_at >= self._booted_at)
        )

    def _weigh(self, held: Held, state: ContainerState) -> None:
        """How it ended. Killed by nobody we know of, it may be about to be removed: looked at once more."""
        was_stopped = held.kill_at is not None
        short = self._workshop.ran_out_of_memory(held.attempt_id, state, was_stopped)
        if state.exit_code > _BY_SIGNAL and not was_stopped and not short and not held.is_doubted:
            held.is_doubted = True
            heapq.heappush(self._due, (time.monotonic() + _LOOK_AGAIN_SECONDS, held.attempt_id, "judge"))
            return
        started_at = held.started_at or state.started_at
        at = max(state.finished_at or now_millis(), started_at or Millis(0))
        reason = OUT_OF_MEMORY if short else None
        held.started_at = started_at
        self._conclude(held, AttemptExited(held.attempt_id, at, started_at, state.exit_code, reason))

    def _conclude(self, held: Held, verdict: End) -> None:
        """It has ended so; reported when its output is complete."""
        held.verdict = verdict
        if held.tail is None and not isinstance(verdict, AttemptLost):
            self._follow(held)
        if isinstance(held.tail, FileTail):
            self._reader.finish(held.tail)
        elif isinstance(verdict, AttemptLost) or held.is_output_done:
            self._end(held, verdict)

    def _follow(self, held: Held) -> None:
        """Copy its output into its log from now on; two at once would write everything twice."""
        if isinstance(held.tail, EngineTail):
            held.tail.close()
        writer = self._workshop.log(held.attempt_id)
        transcript = Transcript(writer, max(0, writer.resume() - held.terms.log_bytes))
        held.is_output_done = False

        def done() -> None:
            writer.close()
            self._chores.post(lambda: self._on_output_done(held, tail))

        def broken() -> None:
            writer.close()
            self._chores.post(lambda: self._on_output_broken(held, tail))

        tail: FileTail | EngineTail
        if self._workshop.keeps_files:
            tail = FileTail(self._workshop.raw_output(held.attempt_id), transcript, done)
            self._reader.follow(tail)
        else:
            tail = EngineTail(lambda since: self._workshop.api.output(_id(held), since), transcript, done, broken)
        held.tail = tail

    def _on_output_done(self, held: Held, tail: object) -> None:
        if held.tail is not tail:
            return
        held.is_output_done = True
        if held.verdict is not None and held.attempt_id in self.held:
            self._end(held, held.verdict)

    def _on_output_broken(self, held: Held, tail: object) -> None:
        """Its end was not reached, and it has not been seen that the container is gone: begun anew in a while."""
        if held.tail is tail and held.attempt_id in self.held:
            held.tail = None
            heapq.heappush(self._due, (time.monotonic() + _LOOK_AGAIN_SECONDS, held.attempt_id, "follow"))

    def _end(self, held: Held, end: End) -> None:
        """It is over: its slot is free, its end goes into the journal. What is left of it goes when that is
        acknowledged."""
        self._queue.pop(held.attempt_id, None)
        if self.held.pop(held.attempt_id, None) is None:
            return
        if held.container_id is not None:
            self._by_container.pop(held.container_id, None)
        if held.holding is not None:
            self._slots.give_back(held.holding)
        self.became.append(end)

    def clean_up(self, attempt_id: AttemptId, volumes: tuple[str, ...], done: Callable[[], None]) -> None:
        """Remove what is left of an attempt; if the engine does not answer, a later connection tries again."""
        self._chores.do(
            lambda: self._workshop.clean_up(attempt_id, volumes),
            lambda _: done(),
            lambda failure: log.info("%s is not cleaned up: %s", attempt_id, failure),
        )

    # ----------------------------------------------------------------------------------------------- connections

    def reconcile(self, found: list[dict[str, Any]]) -> None:
        """Compare with the containers that the engine has, after a time of not hearing from it."""
        present: dict[AttemptId, dict[str, Any]] = {}
        ended = {record.attempt_id for record in self.became} | self._journal.ended.keys()
        for entry in sorted(found, key=_number):
            attempt_id = AttemptId((entry.get("Labels") or {}).get(ATTEMPT_LABEL) or "")
            present[attempt_id] = entry
            if attempt_id not in self.held and attempt_id not in ended:
                self._adopt(attempt_id, entry)
            self.volumes[attempt_id] = _terms(entry).volumes
        for held in list(self.held.values()):
            if not held.asked and held.verdict is None:
                self._catch_up(held, present.get(held.attempt_id))
            elif held.verdict is not None and isinstance(held.tail, EngineTail) and not held.is_output_done:
                self._follow(held)
        for attempt_id, running in list(self._journal.live.items()):
            if attempt_id not in self.held and attempt_id not in present and attempt_id not in ended:
                self.became.append(AttemptLost(attempt_id, now_millis(), running.at if running else None))

    def _adopt(self, attempt_id: AttemptId, entry: Mapping[str, Any]) -> None:
        """Take over a container of before this process."""
        terms = _terms(entry)
        held = Held(attempt_id, terms, None, container_id=str(entry["Id"]))
        self.held[attempt_id] = held
        self._by_container[_id(held)] = held
        self._number = max(self._number, terms.number)
        if attempt_id in self._journal.live or entry.get("State") not in ("created", "configured", "initialized"):
            held.phase = Phase.STARTING
            held.holding = Holding(
                terms.compute_environment, round(terms.vcpus * 1000), terms.memory_mib, terms.gpu_numbers
            )
            self._slots.adopt(held.holding)
            if running := self._journal.live.get(attempt_id):
                held.phase, held.started_at = Phase.RUNNING, running.at
        else:
            self._queue[attempt_id] = held

    def _catch_up(self, held: Held, entry: Mapping[str, Any] | None) -> None:
        """What has become of one attempt meanwhile."""
        if entry is None:
            if held.phase is not Phase.WAITING:
                self._conclude(held, AttemptLost(held.attempt_id, now_millis(), held.started_at))
            elif held.container_id is not None:
                self._end(held, AttemptReturned(held.attempt_id, now_millis()))
            elif held.holding is not None or held.launch is None or not held.launch.gpus:
                self._make(held)
        elif held.phase is Phase.WAITING:
            if held.container_id is None:
                self._on_made(held, Made(str(entry["Id"]), _terms(entry)))
        elif entry.get("State") in ("created", "configured", "initialized"):
            self._catch_up_unstarted(held)
        else:
            if held.phase is Phase.RUNNING and (held.tail is None or isinstance(held.tail, EngineTail)):
                self._follow(held)
            self._judge(held)

    def _catch_up_unstarted(self, held: Held) -> None:
        """The engine was asked to start it and has not, yet: the request may still be on its way. Removing the
        container decides it, since what is removed can never start; its job is then given another attempt."""
        if held.started_at is not None or self._journal.is_of_another_boot:
            self._conclude(held, AttemptLost(held.attempt_id, now_millis(), held.started_at))
            return

        def then(is_gone: bool) -> None:
            if is_gone:
                self._end(held, AttemptReturned(held.attempt_id, now_millis()))
            else:
                self._judge(held)

        self._ask(held, lambda: self._workshop.withdraw(_id(held)), then)

    # ------------------------------------------------------------------------------------------------ the engine

    def _signal(self, held: Held, send: Callable[[str], None]) -> None:
        self._ask(held, lambda: send(_id(held)), lambda _: None)

    def _ask(self, held: Held, work: Callable[[], Result], then: Callable[[Result], None]) -> None:
        """Ask the engine about an attempt. Without an answer the next connection finds out."""
        held.asked += 1

        def answered(result: Result) -> None:
            held.asked -= 1
            then(result)

        def failed(failure: Exception) -> None:
            held.asked -= 1
            if isinstance(failure, CannotStart):
                self._on_failure(held, str(failure))
            elif not isinstance(failure, EngineGone):
                log.error("the engine's answer about %s is not understood: %s", held.attempt_id, failure)

        self._chores.do(work, answered, failed)

    def _on_failure(self, held: Held, reason: str) -> None:
        end = AttemptExited(
            held.attempt_id, now_millis(), started_at=None, exit_code=None, reason=reason, failed_to_start=True
        )
        self._end(held, end)


def now_millis() -> Millis:
    """The wall clock."""
    return Millis(time.time_ns() // 1_000_000)


def _id(held: Held) -> str:
    assert held.container_id is not None
    return held.container_id


def _terms(entry: Mapping[str, Any]) -> Terms:
    return msgspec.json.decode((entry.get("Labels") or {})[TERMS_LABEL], type=Terms)


def _number(entry: Mapping[str, Any]) -> int:
    return _terms(entry).number


def _bare_launch(held: Held) -> Launch:
    """As much of the launch as its slot needs."""
    terms = held.terms
    return Launch(held.attempt_id, terms.job_id, terms.compute_environment, terms.vcpus, terms.memory_mib, 0, ())
