"""A simulated supervisor: the real one's journal and queue, imaginary processes.

It outlives servers. It may be killed: what it had not journaled is forgotten, its processes run on unseen, and its next
incarnation kills them and reports everything it had accepted as lost, as `batchyard.supervisor` does.
"""

import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from batchyard.core.ids import AttemptId, Millis
from batchyard.executors import interface as x
from batchyard.supervisor.slots import Holding, Slots
from tests.simulation.ledger import Ledger, Run
from tests.simulation.programs import Fate, fate
from tests.simulation.timeline import Play, Timeline

Numbered = tuple[int, x.Report]


@dataclass(slots=True)
class Process:
    """An attempt that runs. `timeline` changes when it is stopped; `announce_at` is None once its start is told."""

    run: Run
    fates: list[Fate]
    holding: Holding
    timeline: Timeline
    announce_at: int | None
    stop_at: int | None = None
    kill_at: int | None = None

    def play(self) -> None:
        """Find out anew how it goes."""
        play = Play(self.run.launch, self.fates, self.run.started_at)
        self.timeline = play.until_the_end(self.stop_at, self.kill_at)


class Journal:
    """What survives: attempts accepted and not ended, and numbered reports that no server has acknowledged."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = 0
        self.live: dict[AttemptId, Millis | None] = {}
        self._ended: dict[AttemptId, int] = {}
        self._records: deque[Numbered] = deque()

    @property
    def position(self) -> x.Position:
        """That of the last report."""
        return x.Position(self.name, self.last)

    def knows(self, attempt_id: AttemptId) -> bool:
        """Whether it was accepted, and its end is not yet acknowledged."""
        return attempt_id in self.live or attempt_id in self._ended

    def accept(self, attempt_id: AttemptId) -> None:
        """On disk before it may start."""
        self.live[attempt_id] = None

    def add(self, reports: Sequence[x.Report]) -> list[Numbered]:
        """Number and keep reports."""
        numbered = []
        for report in reports:
            self.last += 1
            numbered.append((self.last, report))
            if isinstance(report, x.AttemptStarted):
                self.live[report.attempt_id] = report.at
            else:
                self.live.pop(report.attempt_id)
                self._ended[report.attempt_id] = self.last
        self._records.extend(numbered)
        return numbered

    def after(self, position: x.Position) -> list[Numbered]:
        """What a server at this position has not taken in."""
        number = position.record if position.journal == self.name else 0
        return [record for record in self._records if record[0] > number]

    def acknowledge(self, position: x.Position) -> None:
        """A server has committed everything up to here."""
        if position.journal != self.name:
            return
        while self._records and self._records[0][0] <= position.record:
            self._ended.pop(self._records.popleft()[1].attempt_id, None)


class Supervisor:
    """One incarnation after the other over one journal. `talk` is where numbered reports go; None without a server."""

    def __init__(self, seed: str, ledger: Ledger, now: Callable[[], Millis]) -> None:
        self.fate: Callable[[x.Launch, int], Fate] = partial(fate, seed)
        self._random = random.Random(f"{seed} supervisor")
        self._ledger = ledger
        self._now = now
        self.journal = Journal("journal-1")
        self.incarnation = 0
        self.is_alive = False
        self.talk: Callable[[list[Numbered]], None] | None = None
        self._begin()

    def _begin(self) -> None:
        self._slots = Slots()
        self._queue: OrderedDict[AttemptId, x.Launch] = OrderedDict()
        self._processes: dict[AttemptId, Process] = {}
        self._unwritten: list[x.Report] = []

    # ------------------------------------------------------------------------------------------------ life and death

    def start(self) -> None:
        """A new incarnation: kill what the last one left, report all that it had accepted as lost."""
        self.incarnation += 1
        self.is_alive = True
        now = self._now()
        for run in self._ledger.running():
            run.ended_at = now
        self._begin()
        lost = [x.AttemptLost(attempt_id, now, started_at) for attempt_id, started_at in self.journal.live.items()]
        self.journal.add(lost)

    def kill(self) -> None:
        """Die at once. Its processes go on; what they do from now on is seen by nobody."""
        self.is_alive = False
        self.talk = None
        self._begin()

    # ---------------------------------------------------------------------------------------------------- orders

    def configure(self, capacity: x.Capacity) -> None:
        """What attempts may hold together from now on."""
        self._slots.configure(capacity)

    def obey(self, order: x.Order) -> None:
        """Carry out one order."""
        match order:
            case x.Launch():
                self._launch(order)
            case x.Stop():
                self._stop(order)
            case x.TakeBack():
                if self._queue.pop(order.attempt_id, None):
                    self._unwritten.append(x.AttemptReturned(order.attempt_id, self._now()))

    def _launch(self, launch: x.Launch) -> None:
        if self.journal.knows(launch.attempt_id):
            return
        self.journal.accept(launch.attempt_id)
        self._queue[launch.attempt_id] = launch

    def _stop(self, order: x.Stop) -> None:
        if self._queue.pop(order.attempt_id, None):
            self._unwritten.append(x.AttemptExited(order.attempt_id, self._now(), None, None))
        elif (process := self._processes.get(order.attempt_id)) is not None:
            kill_at = int(self._now()) + int(1000 * order.grace_seconds)
            if process.stop_at is None:
                process.stop_at = int(self._now())
            process.kill_at = kill_at if process.kill_at is None else min(kill_at, process.kill_at)
            process.play()

    def finish(self, job_id: str, exit_code: int) -> None:
        """The first container of a job ends now, with this code."""
        process = next(p for p in self._processes.values() if p.run.job_id == job_id)
        duration_ms = int(self._now()) - process.run.started_at
        process.fates[0] = replace(process.fates[0], duration_ms=duration_ms, exit_code=exit_code, reason=None)
        process.play()

    # -------------------------------------------------------------------------------------------------- processes

    def _start_what_fits(self) -> None:
        """First come first served; one that does not fit holds up those behind it."""
        while self._queue:
            launch = next(iter(self._queue.values()))
            holding = self._slots.take(launch)
            if holding is None:
                return
            del self._queue[launch.attempt_id]
            self._start(launch, holding)

    def _start(self, launch: x.Launch, holding: Holding) -> None:
        now = self._now()
        fates = [self.fate(launch, position) for position in range(len(launch.containers))]
        timeline = Play(launch, fates, now).until_the_end()
        if timeline.started_at is None:
            self._slots.give_back(holding)
            self._unwritten.append(self._exited(launch, timeline, is_stopped=False))
            return
        run = self._ledger.begin(launch, now, self.incarnation)
        announce_at = now + self._random.choice((0, 2, 10, 40))
        self._processes[launch.attempt_id] = Process(run, fates, holding, timeline, announce_at)

    def _exited(self, launch: x.Launch, timeline: Timeline, *, is_stopped: bool) -> x.AttemptExited:
        decisive = timeline.decisive
        return x.AttemptExited(
            launch.attempt_id,
            self._now(),
            timeline.started_at,
            decisive.exit_code,
            decisive.reason,
            failed_to_start=decisive.started_at is None and not is_stopped,
            containers=timeline.exits if len(timeline.exits) > 1 else (),
        )

    def next_event_at(self) -> int | None:
        """When something will happen by itself."""
        if not self.is_alive:
            return None
        moments = [process.timeline.ends_at for process in self._processes.values()]
        moments += [p.announce_at for p in self._processes.values() if p.announce_at is not None]
        return min(moments, default=None)

    def let_time_pass(self) -> None:
        """One pass of its loop: reap and announce what is due, then start what fits."""
        if not self.is_alive:
            return
        now = self._now()
        ends = [(p.timeline.ends_at, attempt_id) for attempt_id, p in self._processes.items()]
        due = [end for end in ends if end[0] <= now]
        heapq.heapify(due)
        while due:
            self._reap(heapq.heappop(due)[1])
        for attempt_id, process in self._processes.items():
            if process.announce_at is not None and process.announce_at <= now:
                process.announce_at = None
                self._unwritten.append(x.AttemptStarted(attempt_id, Millis(process.run.started_at)))
        self._start_what_fits()

    def _reap(self, attempt_id: AttemptId) -> None:
        process = self._processes.pop(attempt_id)
        run = process.run
        run.ended_at, run.exit_code = int(self._now()), process.timeline.decisive.exit_code
        run.exits = process.timeline.exits
        self._slots.give_back(process.holding)
        self._unwritten.append(self._exited(run.launch, process.timeline, is_stopped=process.stop_at is not None))

    # ---------------------------------------------------------------------------------------------------- reports

    @property
    def has_unwritten(self) -> bool:
        """Whether anything waits for the journal."""
        return bool(self._unwritten)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, runs or is unsaid."""
        return not (self._queue or self._processes or self._unwritten)

    def flush(self) -> None:
        """Journal what has happened, and report it if a server listens."""
        reports, self._unwritten = self._unwritten, []
        numbered = self.journal.add(reports)
        if self.talk is not None and numbered:
            self.talk(numbered)
