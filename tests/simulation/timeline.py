"""How the containers of one attempt fare if nothing more happens from outside: by the rules of core.tasks, from the
fates of their programs."""

from collections.abc import Sequence
from dataclasses import dataclass

from batchyard.core.ids import Millis
from batchyard.core.tasks import ContainerState, Steps, next_steps
from batchyard.executors.interface import ContainerExit, Launch
from tests.simulation.programs import Fate

_STOP_MS = 30_000
_OBEYS_WITHIN_MS = 2


@dataclass(frozen=True, slots=True)
class Timeline:
    """`exits` by position, and when the attempt ends by whose end."""

    exits: tuple[ContainerExit, ...]
    decided_by: int
    ends_at: int

    @property
    def decisive(self) -> ContainerExit:
        """The end that is the attempt's."""
        return self.exits[self.decided_by]

    @property
    def started_at(self) -> Millis | None:
        """When the first container started; None if none ever does."""
        return min((each.started_at for each in self.exits if each.started_at is not None), default=None)


class Play:
    """One attempt from `at` on. stop_at: when all of it is told to end; kill_at: when what is left of it is killed."""

    def __init__(self, launch: Launch, fates: Sequence[Fate], at: int) -> None:
        self._launch = launch
        self._fates = fates
        self._now = Millis(at)
        self._states = [ContainerState()] * len(fates)
        self._due: dict[int, tuple[int, int]] = {}
        self._stopped: set[int] = set()
        self._exits: dict[int, ContainerExit] = {}

    def until_the_end(self, stop_at: int | None = None, kill_at: int | None = None) -> Timeline:
        """The whole of it. What starts at once has started before anybody can stop it."""
        has_begun = False
        while True:
            is_stopped = has_begun and stop_at is not None and stop_at <= self._now
            steps = next_steps(
                self._launch.containers,
                self._states,
                self._now,
                main_node=self._launch.main_node,
                is_stopped=is_stopped,
            )
            if steps.decided_by is not None:
                exits = tuple(self._exits[position] for position in sorted(self._exits))
                return Timeline(exits, steps.decided_by, self._now)
            for position in steps.stop:
                self._stop(position, kill_at if is_stopped and kill_at is not None else self._now + _STOP_MS)
            for position, reason in steps.give_up:
                self._end(position, None, reason)
            for position in steps.start:
                self._start(position)
            if not steps.start and not steps.give_up:
                self._pass_time(steps, None if is_stopped else stop_at)
                has_begun = True

    def _start(self, position: int) -> None:
        fate = self._fates[position]
        if not fate.can_start:
            self._end(position, None, "command not found")
            return
        self._states[position] = ContainerState(self._now)
        self._due[position] = (self._now + fate.duration_ms, fate.exit_code)

    def _stop(self, position: int, kill_at: int) -> None:
        ends_at, code = self._due[position]
        if position not in self._stopped and self._fates[position].obeys_sigterm:
            ends_at, code = min((ends_at, code), (self._now + _OBEYS_WITHIN_MS, 143))
        self._stopped.add(position)
        self._due[position] = min((ends_at, code), (kill_at, 137))

    def _pass_time(self, steps: Steps, stop_at: int | None) -> None:
        """To the next moment at which anything happens; what ends then ends."""
        moments = [at for at, _ in self._due.values()]
        moments += [at for at in (steps.look_again_at, stop_at) if at is not None]
        self._now = Millis(max(self._now, min(moments)))
        for position, (at, code) in sorted(self._due.items()):
            if at <= self._now:
                fate = self._fates[position]
                self._end(position, code, fate.reason if code == fate.exit_code else None)

    def _end(self, position: int, exit_code: int | None, reason: str | None) -> None:
        self._due.pop(position, None)
        state = self._states[position]
        self._exits[position] = ContainerExit(position, self._now, state.started_at, exit_code, reason)
        self._states[position] = state._replace(end_order=len(self._exits), exit_code=exit_code)
