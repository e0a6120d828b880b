"""The life of attempts: waiting for their turn, running, ending when the last of their containers has ended.

made (all containers exist) -> its turn has come (it holds its slot) -> accepted in the journal -> its containers are
started and stopped as core.tasks says -> ended. Making comes before waiting, so that the containers themselves are what
keeps an attempt in the queue across a restart; only what needs GPUs is made when it has them.

After a restart the engine says how far each container has come. A container of several that was never begun, of which
the note on disk knows, is simply started when it is its turn. One that may have been begun and has not started decides
its attempt: see `Runs.catch_up`.
"""

import heapq
from collections import OrderedDict, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from batchyard.containers.output import FileReader
from batchyard.containers.runs import UNSTARTED, Chores, Phase, Run, Runs, now_millis
from batchyard.containers.terms import Terms, run_ids, terms_of
from batchyard.containers.workshop import ATTEMPT_LABEL, TERMS_LABEL, Made, Workshop
from batchyard.core.ids import AttemptId, Millis
from batchyard.core.tasks import ContainerState, next_steps
from batchyard.executors.interface import (
    AttemptExited,
    AttemptLost,
    AttemptReturned,
    Capacity,
    ContainerExit,
    Launch,
)
from batchyard.supervisor.journal import End, Journal, Running
from batchyard.supervisor.slots import Holding, Slots

_STOP_SECONDS = 30.0
"""The grace of a container that ends because another one did (`stopTimeout` of ECS)."""


@dataclass(slots=True)
class Attempt:
    """One attempt. `launch` is None when only its containers' labels know of it, after a restart. `states` and `exits`
    are by the position of its containers. `broken`: why how it ended cannot be known."""

    attempt_id: AttemptId
    terms: Terms
    launch: Launch | None
    runs: list[Run]
    states: list[ContainerState]
    exits: dict[int, ContainerExit] = field(default_factory=dict)
    holding: Holding | None = None
    is_accepted: bool = False
    is_announced: bool = False
    stop_grace_seconds: float | None = None
    broken: AttemptLost | AttemptReturned | None = None

    @property
    def is_made(self) -> bool:
        """Whether all its containers exist."""
        return all(run.container_id is not None for run in self.runs)


class Attempts:
    """All attempts of a data folder. `journal` is told of starts through `starting` and `became`, which the executor
    writes down together at the end of each pass. `left` is what there may be to clean up, by attempt."""

    def __init__(self, workshop: Workshop, journal: Journal, chores: Chores, reader: FileReader) -> None:
        self.held: dict[AttemptId, Attempt] = {}
        self.starting: list[Attempt] = []
        self.became: list[Running | End] = []
        self.left: dict[AttemptId, Terms] = {}
        self.runs = Runs(workshop, chores, reader, self)
        self._workshop = workshop
        self._journal = journal
        self._slots = Slots()
        self._queue: OrderedDict[AttemptId, Attempt] = OrderedDict()
        self._due: list[tuple[Millis, AttemptId]] = []
        self._number = 0

    # --------------------------------------------------------------------------------------------------- orders

    def configure(self, capacity: Capacity) -> None:
        """What attempts may hold together from now on."""
        self._slots.configure(capacity)

    def launch(self, launch: Launch) -> None:
        """Queue an attempt, unless it was ever accepted."""
        if self._knows(launch.attempt_id):
            return
        self._number += 1
        attempt = _attempt(launch.attempt_id, terms_of(launch, self._number, self._workshop.settings.network), launch)
        self.held[launch.attempt_id] = self._queue[launch.attempt_id] = attempt
        if not launch.gpus:
            self._make(attempt)

    def _knows(self, attempt_id: AttemptId) -> bool:
        """Whether it was ever accepted, as far as that is not yet forgotten."""
        unwritten = any(record.attempt_id == attempt_id for record in self.became)
        return attempt_id in self.held or unwritten or self._journal.knows(attempt_id)

    def take_back(self, attempt_id: AttemptId) -> None:
        """Return the attempt if it still waits."""
        if attempt_id in self._queue:
            self._end(self.held[attempt_id], AttemptReturned(attempt_id, now_millis()))

    def stop(self, attempt_id: AttemptId, grace_seconds: float) -> None:
        """Drop the attempt if it waits; else its images' stop signals, and SIGKILL when the grace is over."""
        attempt = self.held.get(attempt_id)
        if attempt is None:
            return
        if attempt_id in self._queue:
            self._end(attempt, AttemptExited(attempt_id, now_millis(), started_at=None, exit_code=None))
            return
        if attempt.stop_grace_seconds is None or grace_seconds < attempt.stop_grace_seconds:
            attempt.stop_grace_seconds = grace_seconds
        self._advance(attempt)

    # ---------------------------------------------------------------------------------------------------- start

    def start_what_fits(self) -> None:
        """Give waiting attempts their slots, first come first served; one that does not fit holds up those behind."""
        while self._queue:
            attempt = next(iter(self._queue.values()))
            holding = self._slots.take(attempt.launch or _bare_launch(attempt))
            if holding is None:
                break
            del self._queue[attempt.attempt_id]
            attempt.holding = holding
            if attempt.is_made:
                self.starting.append(attempt)
            elif not any(run.asked for run in attempt.runs):
                self._make(attempt)

    def start_accepted(self, accepted: list[Attempt]) -> None:
        """Start these, which are in the journal now."""
        for attempt in accepted:
            attempt.is_accepted = True
            self._advance(attempt)

    def _make(self, attempt: Attempt) -> None:
        """One after the other, since one may share the network of another."""
        launch = attempt.launch
        run = next((run for run in _in_order(attempt) if run.container_id is None), None)
        if launch is None or run is None or run.asked:
            return
        gpus = attempt.holding.gpus if attempt.holding else ()
        if gpus:
            run.terms = replace(run.terms, gpu_numbers=gpus)
        hide = self._slots.has_gpus
        self.runs.make(run, launch, hide)

    def on_made(self, run: Run) -> None:
        """See `Owner.on_made`."""
        attempt = self.held[run.attempt_id]
        self.left[attempt.attempt_id] = run.terms
        if not attempt.is_made:
            self._make(attempt)
        elif attempt.holding is not None:
            self.starting.append(attempt)

    def on_started(self, run: Run) -> None:
        """See `Owner.on_started`."""
        attempt = self.held[run.attempt_id]
        assert run.started_at is not None
        attempt.states[run.terms.position] = ContainerState(run.started_at)
        if not attempt.is_announced:
            attempt.is_announced = True
            self.became.append(Running(attempt.attempt_id, run.started_at, 0, 0))
        self._advance(attempt)

    # ----------------------------------------------------------------------------------------------------- steps

    def _advance(self, attempt: Attempt) -> None:
        """Start and stop containers as the rules say now, until nothing more follows."""
        terms = attempt.terms
        while attempt.is_accepted and attempt.attempt_id in self.held:
            is_stopped = attempt.stop_grace_seconds is not None
            steps = next_steps(
                terms.members, attempt.states, now_millis(), main_node=terms.main_node, is_stopped=is_stopped
            )
            for position in steps.stop:
                self._stop_run(attempt, attempt.runs[position])
            given_up = [pair for pair in steps.give_up if attempt.runs[pair[0]].phase is Phase.WAITING]
            for position, reason in given_up:
                self.runs.drop(attempt.runs[position])
                self._note_end(attempt, position, now_millis(), None, None if is_stopped else reason)
            for position, _ in steps.give_up:
                self._stop_run(attempt, attempt.runs[position])  # Those that are on their way.
            for position in steps.start:
                self._start_run(attempt.runs[position])
            if steps.decided_by is not None:
                self._finish(attempt, steps.decided_by)
            elif not given_up:
                if steps.look_again_at is not None:
                    heapq.heappush(self._due, (steps.look_again_at, attempt.attempt_id))
                break

    def _start_run(self, run: Run) -> None:
        if run.phase is not Phase.WAITING or run.is_over:
            return
        if len(run.terms.members) > 1:
            try:
                self._workshop.note_begin(run.run_id)
            except OSError as failure:
                self.runs.fail(run, f"CannotStartContainerError: the machine has no room for it: {failure}")
                return
        self.runs.start(run)

    def _stop_run(self, attempt: Attempt, run: Run) -> None:
        grace = _STOP_SECONDS if attempt.stop_grace_seconds is None else attempt.stop_grace_seconds
        own = run.member.stop_timeout_seconds
        self.runs.stop(run, own if grace and own is not None else grace)

    def continue_closing(self) -> float | None:
        """Do what is due; return after how many seconds to call again."""
        now = now_millis()
        while self._due and self._due[0][0] <= now:
            if attempt := self.held.get(heapq.heappop(self._due)[1]):
                self._advance(attempt)
        wait = self.runs.continue_closing()
        waits = [(self._due[0][0] - now) / 1000] if self._due else []
        return min([*waits, *([] if wait is None else [wait])], default=None)

    # ------------------------------------------------------------------------------------------------------ end

    def on_over(self, run: Run, end: End) -> None:
        """See `Owner.on_over`."""
        attempt = self.held[run.attempt_id]
        if len(attempt.runs) == 1:
            self._end(attempt, end)
        elif isinstance(end, AttemptExited):
            self._note_end(attempt, run.terms.position, end.at, end.exit_code, end.reason, end.started_at)
            if attempt.is_accepted:
                self._advance(attempt)
            else:  # It could not be made.
                self._finish(attempt, run.terms.position)
        else:
            self._break(attempt, run, end)

    def _break(self, attempt: Attempt, run: Run, end: AttemptLost | AttemptReturned) -> None:
        """Nobody can say how a container of several ended: the others are killed, and the attempt is lost; or
        returned, if nothing of it ever ran."""
        attempt.broken = end
        self._note_end(attempt, run.terms.position, end.at, None, None, run.started_at)
        if attempt.is_accepted:
            attempt.stop_grace_seconds = 0.0
            self._advance(attempt)
        else:
            self._finish(attempt, run.terms.position)

    def _note_end(
        self,
        attempt: Attempt,
        position: int,
        at: Millis,
        exit_code: int | None,
        reason: str | None,
        started_at: Millis | None = None,
    ) -> None:
        """Who ended first is told by the time of the end, since after a restart all ends are heard of at once."""
        attempt.exits[position] = ContainerExit(position, at, started_at, exit_code, reason)
        attempt.states[position] = ContainerState(started_at, at, exit_code)

    def _finish(self, attempt: Attempt, decided_by: int) -> None:
        attempt_id, now = attempt.attempt_id, now_millis()
        started = [state.started_at for state in attempt.states if state.started_at is not None]
        started_at, decisive = min(started, default=None), attempt.exits[decided_by]
        if attempt.broken is not None:
            lost = isinstance(attempt.broken, AttemptLost) or started
            self._end(attempt, AttemptLost(attempt_id, now, started_at) if lost else AttemptReturned(attempt_id, now))
            return
        exits = tuple(attempt.exits.get(p) or ContainerExit(p, now, None, None) for p in range(len(attempt.runs)))
        failed = decisive.started_at is None and attempt.stop_grace_seconds is None
        several = exits if len(exits) > 1 else ()
        self._end(
            attempt,
            AttemptExited(attempt_id, now, started_at, decisive.exit_code, decisive.reason, failed, several),
        )

    def _end(self, attempt: Attempt, end: End) -> None:
        """It is over: its slot is free, its end goes into the journal. What is left of it goes when that is
        acknowledged."""
        self._queue.pop(attempt.attempt_id, None)
        if self.held.pop(attempt.attempt_id, None) is None:
            return
        for run in attempt.runs:
            self.runs.drop(run)
        if attempt.holding is not None:
            self._slots.give_back(attempt.holding)
        self.became.append(end)

    def close(self) -> None:
        """Read no output any more."""
        for attempt in self.held.values():
            for run in attempt.runs:
                if run.tail is not None:
                    run.tail.close()

    # ----------------------------------------------------------------------------------------------- connections

    def reconcile(self, found: list[dict[str, Any]]) -> None:
        """Compare with the containers that the engine has, after a time of not hearing from it."""
        present: dict[AttemptId, dict[int, dict[str, Any]]] = defaultdict(dict)
        ended = {record.attempt_id for record in self.became} | self._journal.ended.keys()
        for entry in sorted(found, key=lambda entry: _terms(entry).number):
            terms = _terms(entry)
            attempt_id = AttemptId((entry.get("Labels") or {}).get(ATTEMPT_LABEL) or "")
            present[attempt_id][terms.position] = entry
            self.left[attempt_id] = terms
        for attempt_id, entries in present.items():
            if attempt_id not in self.held and attempt_id not in ended:
                self._adopt(attempt_id, entries)
        for attempt in list(self.held.values()):
            self._catch_up(attempt, present.get(attempt.attempt_id) or {})
        for attempt_id, running in list(self._journal.live.items()):
            if attempt_id not in self.held and attempt_id not in present and attempt_id not in ended:
                self.became.append(AttemptLost(attempt_id, now_millis(), running.at if running else None))

    def _adopt(self, attempt_id: AttemptId, entries: Mapping[int, dict[str, Any]]) -> None:
        """Take over the containers of before this process. An attempt that waits and lacks some of them is returned:
        nobody here knows what they were to be."""
        terms = _terms(next(iter(entries.values())))
        attempt = _attempt(attempt_id, terms, None)
        begun = attempt_id in self._journal.live or any(_has_begun(entry) for entry in entries.values())
        if not begun and len(entries) < len(attempt.runs):
            self.became.append(AttemptReturned(attempt_id, now_millis()))
            return
        self.held[attempt_id] = attempt
        self._number = max(self._number, terms.number)
        for position, entry in entries.items():
            self.runs.know(attempt.runs[position], Made(str(entry["Id"]), _terms(entry)))
        if not begun:
            self._queue[attempt_id] = attempt
            return
        attempt.is_accepted = True
        attempt.holding = Holding(
            terms.compute_environment, round(terms.vcpus * 1000), terms.memory_mib, terms.gpu_numbers
        )
        self._slots.adopt(attempt.holding)
        running = self._journal.live.get(attempt_id)
        attempt.is_announced = running is not None
        is_single = len(attempt.runs) == 1
        for position, run in enumerate(attempt.runs):
            entry = entries.get(position, {})
            if is_single or not entry or _has_begun(entry) or self._workshop.may_have_begun(run.run_id):
                run.phase = Phase.STARTING
        if running is not None and is_single:
            attempt.runs[0].phase, attempt.runs[0].started_at = Phase.RUNNING, running.at
            attempt.states[0] = ContainerState(running.at)

    def _catch_up(self, attempt: Attempt, entries: Mapping[int, dict[str, Any]]) -> None:
        """What has become of one attempt meanwhile."""
        for position, run in enumerate(attempt.runs):
            entry = entries.get(position)
            if run.is_over or run.asked:
                continue
            if run.verdict is not None:
                self.runs.follow_again(run)
            elif run.phase is Phase.WAITING and run.container_id is None:
                if entry is not None:
                    self.runs.know(run, Made(str(entry["Id"]), _terms(entry)))
                    self.on_made(run)
                elif attempt.holding is not None or attempt.launch is None or not attempt.launch.gpus:
                    self._make(attempt)
            else:
                self.runs.catch_up(run, entry, self._journal.is_of_another_boot)
        self._advance(attempt)


def _attempt(attempt_id: AttemptId, terms: Terms, launch: Launch | None) -> Attempt:
    runs = [
        Run(run_id, attempt_id, replace(terms, position=position))
        for position, run_id in enumerate(run_ids(attempt_id, terms))
    ]
    return Attempt(attempt_id, terms, launch, runs, [ContainerState()] * len(runs))


def _in_order(attempt: Attempt) -> list[Run]:
    """Those that wait for none first: one of them has the network that the others share."""
    return sorted(attempt.runs, key=lambda run: bool(run.member.depends_on))


def _has_begun(entry: Mapping[str, Any]) -> bool:
    return entry.get("State") not in UNSTARTED


def _terms(entry: Mapping[str, Any]) -> Terms:
    return msgspec.json.decode((entry.get("Labels") or {})[TERMS_LABEL], type=Terms)


def _bare_launch(attempt: Attempt) -> Launch:
    """As much of the launch as its slot needs."""
    terms = attempt.terms
    return Launch(attempt.attempt_id, terms.job_id, terms.compute_environment, terms.vcpus, terms.memory_mib, 0, ())
