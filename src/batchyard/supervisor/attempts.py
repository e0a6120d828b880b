"""The life of attempts on this machine: waiting for what they need, running, ending with nothing left of them.

An attempt is one container or several; core.tasks says which of them to start and stop, supervisor.runs does it. When
all have ended, the scratch folder that they shared is removed. Only then is the attempt reported and its slot free.
"""

import os
import re
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from batchyard.core.ids import AttemptId, Millis
from batchyard.core.tasks import ContainerState, next_steps
from batchyard.executors.control_groups import ControlGroups
from batchyard.executors.interface import (
    AttemptExited,
    AttemptLost,
    AttemptReturned,
    Capacity,
    ContainerExit,
    Launch,
)
from batchyard.executors.supervisor_protocol import ContainerSettings
from batchyard.supervisor import workspaces
from batchyard.supervisor.journal import End
from batchyard.supervisor.launching import CannotStart, identity
from batchyard.supervisor.runs import OutputWatch, Run, Runs, now_millis
from batchyard.supervisor.scratch import ScratchFolders
from batchyard.supervisor.slots import Holding, Slots

_ANNOUNCE_SECONDS = 0.010
_STOP_SECONDS = 30.0
"""The grace of a container that ends because another one did (`stopTimeout` of ECS)."""

_ATTEMPT_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(slots=True)
class Attempt:
    """One attempt from its start to its end. `states` and `exits` are by the position of its containers, and so is
    `leaving`: why those that were given up on their way will never run."""

    launch: Launch
    holding: Holding
    folder: Path
    states: list[ContainerState]
    runs: dict[int, Run] = field(default_factory=dict)
    leaving: dict[int, str] = field(default_factory=dict)
    exits: dict[int, ContainerExit] = field(default_factory=dict)
    announced: bool = False
    stop_grace_seconds: float | None = None
    look_again_at: Millis | None = None
    abandoned: bool = False
    removing: bool = False

    def gpus_of(self, position: int) -> tuple[int, ...]:
        """The numbers of the GPUs that a container may use: each has its own."""
        containers = self.launch.containers
        before = sum(container.gpus for container in containers[:position])
        return self.holding.gpus[before : before + containers[position].gpus]


class Attempts:
    """All attempts that this supervisor holds. `ended` is called once for each, with what is to be journaled."""

    def __init__(
        self, data: Path, groups: ControlGroups, watch: OutputWatch, ended: Callable[[End], None], pids_limit: int
    ) -> None:
        self.running: dict[AttemptId, Attempt] = {}
        self._ended = ended
        self._slots = Slots()
        self._queue: OrderedDict[AttemptId, Launch] = OrderedDict()
        self._scratch = ScratchFolders(data)
        self._runs = Runs(
            data, groups, watch, self._on_started, self._on_over, pids_limit, lambda: self._scratch.removers
        )
        self._unannounced: deque[tuple[float, Run]] = deque()
        self._waiting: dict[AttemptId, Attempt] = {}

    # --------------------------------------------------------------------------------------------------- orders

    def adjust(self, log_cap_bytes: int | None, containers: ContainerSettings) -> None:
        """How much of each container's output is kept from now on, None for all; and how containers are made."""
        self._runs.log_cap_bytes = log_cap_bytes
        self._runs.containers.settings = containers

    def configure(self, capacity: Capacity) -> None:
        """What attempts may hold together from now on."""
        self._slots.configure(capacity)

    def queue(self, launch: Launch) -> None:
        """Start this attempt when its turn has come; it is journaled as accepted."""
        self._queue[launch.attempt_id] = launch

    def take_back(self, attempt_id: AttemptId) -> None:
        """Return the attempt if it still waits."""
        if self._queue.pop(attempt_id, None):
            self._ended(AttemptReturned(attempt_id, now_millis()))

    def stop(self, attempt_id: AttemptId, grace_seconds: float) -> None:
        """Drop the attempt if it waits; SIGTERM to its trees if it runs, SIGKILL when the grace is over."""
        if self._queue.pop(attempt_id, None):
            self._ended(AttemptExited(attempt_id, now_millis(), started_at=None, exit_code=None))
        elif attempt := self.running.get(attempt_id):
            if attempt.stop_grace_seconds is None or grace_seconds < attempt.stop_grace_seconds:
                attempt.stop_grace_seconds = grace_seconds
            self._advance(attempt)

    def abandon(self, grace_seconds: float) -> None:
        """The supervisor is told to end: what waits is returned, what runs is stopped and reported as lost, since its
        host goes away; unless it still exits with 0."""
        for attempt_id in list(self._queue):
            self.take_back(attempt_id)
        for attempt in list(self.running.values()):
            attempt.abandoned = True
            self.stop(attempt.launch.attempt_id, grace_seconds)
        self._runs.containers.end()

    @property
    def has_waiting(self) -> bool:
        """Whether an attempt waits for its slot."""
        return bool(self._queue)

    @property
    def idle(self) -> bool:
        """Whether nothing waits or runs, and nothing of what ran is still there."""
        return not self._queue and not self.running and not self._runs.containers.is_removing

    # ---------------------------------------------------------------------------------------------------- start

    def start_what_fits(self) -> None:
        """Start waiting attempts, first come first served; one that does not fit holds up those behind it."""
        while self._queue:
            launch = next(iter(self._queue.values()))
            holding = self._slots.take(launch)
            if holding is None:
                break
            del self._queue[launch.attempt_id]
            try:
                if launch.impossible is None:
                    self._start(launch, holding)
                else:
                    self._not_started(launch, holding, launch.impossible)
            except CannotStart as failure:
                self._not_started(launch, holding, str(failure))
        if self.idle:
            self._scratch.forget_spares()

    def _not_started(self, launch: Launch, holding: Holding, reason: str) -> None:
        self._slots.give_back(holding)
        self._ended(
            AttemptExited(
                launch.attempt_id, now_millis(), started_at=None, exit_code=None, reason=reason, failed_to_start=True
            )
        )

    def _start(self, launch: Launch, holding: Holding) -> None:
        if not _ATTEMPT_ID.fullmatch(launch.attempt_id):
            raise CannotStart("the attempt's id is not 32 hexadecimal digits")
        # The users of containers are those of their images; what they share lies below this folder, in folders for all.
        users = {identity(None if launch.in_containers else container.user) for container in launch.containers}
        try:
            folder = self._scratch.make(launch.attempt_id, users)
        except OSError as failure:
            raise CannotStart(f"the machine has no room for it: {failure}") from failure
        attempt = Attempt(launch, holding, folder, [ContainerState()] * len(launch.containers))
        self.running[launch.attempt_id] = attempt
        self._advance(attempt)

    def announce(self, now: float, tell: Callable[[Run, bool], None]) -> float | None:
        """Tell of runs that have lasted a little while, and whether each is the first of its attempt; return after how
        many seconds to call again.

        Late, because most attempts that end soon then need no report of their start.
        """
        while self._unannounced and (self._unannounced[0][0] <= now or self._is_over(self._unannounced[0][1])):
            run = self._unannounced.popleft()[1]
            attempt = self.running.get(run.attempt_id)
            if attempt is not None and not self._is_over(run):
                tell(run, not attempt.announced)
                attempt.announced = True
        return self._unannounced[0][0] - now if self._unannounced else None

    def _is_over(self, run: Run) -> bool:
        attempt = self.running.get(run.attempt_id)
        return attempt is None or attempt.runs.get(run.position) is not run

    # ----------------------------------------------------------------------------------------------------- steps

    def _advance(self, attempt: Attempt) -> None:
        """Start and stop containers as the rules say now, until nothing more follows."""
        launch = attempt.launch
        while not attempt.removing:
            steps = next_steps(
                launch.containers,
                attempt.states,
                now_millis(),
                main_node=launch.main_node,
                is_stopped=attempt.stop_grace_seconds is not None,
            )
            for position in steps.stop:
                self._stop_run(attempt, attempt.runs[position])
            fresh = [position for position in steps.start if position not in attempt.runs]
            given_up = [(position, reason) for position, reason in steps.give_up if position not in attempt.leaving]
            for position, reason in given_up:
                self._give_up(attempt, position, reason)
            for position in fresh:
                self._start_run(attempt, position)
            if steps.decided_by is not None:
                self._remove_scratch(attempt, steps.decided_by)
            if not fresh and not given_up:
                self._look_again(attempt, steps.look_again_at)
                break

    def _look_again(self, attempt: Attempt, at: Millis | None) -> None:
        attempt.look_again_at = at
        if at is None:
            self._waiting.pop(attempt.launch.attempt_id, None)
        else:
            self._waiting[attempt.launch.attempt_id] = attempt

    def _remove_scratch(self, attempt: Attempt, decided_by: int) -> None:
        attempt.removing = True
        self._scratch.remove(attempt.folder, lambda: self._finish(attempt, decided_by))

    def _stop_run(self, attempt: Attempt, run: Run) -> None:
        grace = _STOP_SECONDS if attempt.stop_grace_seconds is None else attempt.stop_grace_seconds
        own = run.container.stop_timeout_seconds
        self._runs.stop(run, grace if own is None or attempt.abandoned else own)

    def _start_run(self, attempt: Attempt, position: int) -> None:
        container, gpus = attempt.launch.containers[position], attempt.gpus_of(position)
        try:
            if attempt.launch.workspace is not None and not attempt.exits and not attempt.runs:
                workspaces.make(attempt.launch.workspace, attempt.folder)
            run = (self._runs.contain if attempt.launch.in_containers else self._runs.start)(
                attempt.launch.attempt_id,
                position,
                container,
                attempt.folder,
                gpus,
                hide_gpus=self._slots.has_gpus and not gpus,
            )
        except CannotStart as failure:
            self._note_end(attempt, position, None, str(failure))
            return
        attempt.runs[position] = run
        if run.started_at is not None:
            self._note_start(attempt, run)

    def _note_start(self, attempt: Attempt, run: Run) -> None:
        attempt.states[run.position] = ContainerState(run.started_at)
        self._unannounced.append((time.monotonic() + _ANNOUNCE_SECONDS, run))

    def _on_started(self, run: Run) -> None:
        """A container runs that took its time; others may have waited for that."""
        attempt = self.running[run.attempt_id]
        attempt.leaving.pop(run.position, None)  # too late: it ends as what runs does
        self._note_start(attempt, run)
        self._advance(attempt)

    def _give_up(self, attempt: Attempt, position: int, reason: str) -> None:
        """It will never start; one that is on its way is ended first."""
        if run := attempt.runs.get(position):
            attempt.leaving[position] = reason
            self._runs.give_up(run)
        else:
            self._note_end(attempt, position, None, reason)

    # ------------------------------------------------------------------------------------------------------ end

    def reap(self) -> None:
        """Take in every child that has died: main processes, orphans that came home, removers of folders."""
        while True:
            try:
                process_id, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not process_id:
                break
            if not self._scratch.reaped(process_id):
                self._runs.reaped(process_id, status)

    def continue_closing(self) -> float | None:
        """Do what is due by time; return after how many seconds to call again."""
        wait = self._runs.continue_closing()
        if not self._waiting:
            return wait
        now = now_millis()
        for attempt in list(self._waiting.values()):
            if attempt.look_again_at is not None and attempt.look_again_at <= now:
                self._advance(attempt)
        due = [a.look_again_at for a in self._waiting.values() if a.look_again_at is not None]
        waits = [(min(due) - now) / 1000] if due else []
        return min([*waits, *([] if wait is None else [wait])], default=None)

    def _on_over(self, run: Run) -> None:
        attempt = self.running[run.attempt_id]
        del attempt.runs[run.position]
        reason = run.reason or attempt.leaving.get(run.position)
        if attempt.launch.workspace is not None and run.exit_code and reason is None:
            reason = workspaces.failure(attempt.launch.workspace)
        self._note_end(attempt, run.position, run.exit_code, reason)
        self._advance(attempt)

    def _note_end(self, attempt: Attempt, position: int, exit_code: int | None, reason: str | None) -> None:
        state = attempt.states[position]
        attempt.exits[position] = ContainerExit(position, now_millis(), state.started_at, exit_code, reason)
        attempt.states[position] = state._replace(end_order=len(attempt.exits), exit_code=exit_code)

    def _finish(self, attempt: Attempt, decided_by: int) -> None:
        attempt_id = attempt.launch.attempt_id
        self._slots.give_back(attempt.holding)
        del self.running[attempt_id]
        started = [state.started_at for state in attempt.states if state.started_at is not None]
        started_at, decisive = min(started, default=None), attempt.exits[decided_by]
        if attempt.abandoned and started_at is None:
            self._ended(AttemptReturned(attempt_id, now_millis()))  # it was only on its way
            return
        if attempt.abandoned and decisive.exit_code:
            self._ended(AttemptLost(attempt_id, now_millis(), started_at))
            return
        several = len(attempt.exits) > 1
        self._ended(
            AttemptExited(
                attempt_id,
                now_millis(),
                started_at,
                decisive.exit_code,
                decisive.reason,
                failed_to_start=decisive.started_at is None and attempt.stop_grace_seconds is None,
                containers=tuple(attempt.exits[position] for position in sorted(attempt.exits)) if several else (),
            )
        )
