"""What must be true of every replay, checked against the record alone: nothing here asks the planner.

That shares get what their weights say is checked in simulator.fairness.
"""

import msgspec

from batchyard.core.ids import JobSeq, Millis
from batchyard.simulator.instants import instants
from batchyard.simulator.record import Record, Run
from batchyard.simulator.scene import Scene
from batchyard.simulator.yard import SimulatedQueue

_SLACK = 1e-9
_EXAMPLES_MAX = 3


class Finding(msgspec.Struct, frozen=True):
    """A property of a replay. tested: how often it was put to the test; where that is 0, nothing is known. violations:
    how often it did not hold, with the first of them in words."""

    name: str
    tested: int
    violations: int = 0
    examples: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it was never violated."""
        return not self.violations


class Property:
    """Looks at every start of a job, and at every moment when all that starts has started."""

    name = ""

    def __init__(self) -> None:
        self.tested = 0
        self.violations = 0
        self.examples: list[str] = []

    def before_start(self, scene: Scene, run: Run, now: Millis) -> None:
        """A job is about to start."""

    def after_start(self, scene: Scene, run: Run, now: Millis) -> None:
        """A job has started."""

    def settled(self, scene: Scene, now: Millis) -> None:
        """All that starts at this moment has started."""

    def expect(self, holds: bool, now: Millis, what: str) -> None:
        """Count one test."""
        self.tested += 1
        if not holds:
            self.violations += 1
            if len(self.examples) < _EXAMPLES_MAX:
                self.examples.append(f"at {now // 1000} s {what}")

    def finding(self) -> Finding:
        """What was found."""
        return Finding(self.name, self.tested, self.violations, tuple(self.examples))


class Capacity(Property):
    """Neither the machine nor a compute environment ever holds more than it has."""

    name = "capacity is never exceeded"

    def after_start(self, scene: Scene, run: Run, now: Millis) -> None:
        yard, used = scene.yard, scene.by_environment[run.environment]
        fits = scene.vcpus <= yard.machine.vcpus + _SLACK and used <= yard.environments[run.environment] + _SLACK
        fits = fits and not (yard.bounds_memory and scene.memory_mib > yard.machine.memory_mib)
        self.expect(
            fits, now, f"{scene.vcpus:g} vCPUs and {scene.memory_mib} MiB are in use, {used:g} of {run.environment}"
        )


class Order(Property):
    """Of jobs that need the same, in one share or in one queue without shares, who came first starts first."""

    name = "first in, first out among equals"

    def __init__(self) -> None:
        super().__init__()
        self._latest: dict[tuple[str, str, float, int], JobSeq] = {}

    def before_start(self, scene: Scene, run: Run, now: Millis) -> None:
        line = scene.queues[run.queue].line(run.share_identifier)
        kind = (run.queue, line, run.vcpus, run.memory_mib)
        latest = self._latest.get(kind, JobSeq(0))
        self.expect(latest < run.seq, now, f"job {run.number} starts after its equal that came later")
        self._latest[kind] = max(latest, run.seq)


class Priorities(Property):
    """A job starts only when the queues of higher priority have nothing that could start instead."""

    name = "the queue of higher priority goes first"

    def before_start(self, scene: Scene, run: Run, now: Millis) -> None:
        priority = scene.queues[run.queue].priority
        for queue in scene.queues.values():
            if queue.priority > priority:
                could_start = _is_plain(scene, queue) and _all_fit(scene, queue)
                self.expect(not could_start, now, f"job {run.number} goes before {queue.name}")


class Reservation(Property):
    """What is reserved for shares that are not active is not given to others, but for one job where nothing runs."""

    name = "what is reserved stays free"

    def before_start(self, scene: Scene, run: Run, now: Millis) -> None:
        queue = scene.queues[run.queue]
        if queue.policy is None or not queue.policy.compute_reservation:
            return
        active, most = scene.active_shares(queue, now), scene.yard.most_vcpus(queue)
        open_to_all = most * (1 - (queue.policy.compute_reservation / 100) ** active)
        used = scene.by_queue[queue.name]
        kept = not used or used + run.vcpus <= open_to_all + _SLACK
        self.expect(kept, now, f"{used + run.vcpus:g} vCPUs are in use, {open_to_all:g} are not reserved")


class Service(Property):
    """A share that waits and has used nothing for a whole decay window goes before those that have; every job that can
    ever run does."""

    name = "nobody starves"

    def before_start(self, scene: Scene, run: Run, now: Millis) -> None:
        queue = scene.queues[run.queue]
        if queue.policy is None or not scene.has_used(queue, run.share_identifier, now):
            return
        for share in scene.waiting_shares(queue):
            if share != run.share_identifier:
                served = scene.has_used(queue, share, now)
                self.expect(served, now, f"job {run.number} goes before {share}, which has used nothing")


class Diligence(Property):
    """Room is not left idle while the first jobs of the most important queue that has any would fit."""

    name = "no room idles while the next job fits"

    def settled(self, scene: Scene, now: Millis) -> None:
        waiting = [queue for queue in scene.queues.values() if scene.heads(queue)]
        first = max(waiting, key=lambda queue: queue.priority, default=None)
        if first is not None and _is_plain(scene, first):
            self.expect(not _all_fit(scene, first), now, f"{first.name} could place another job")


def _is_plain(scene: Scene, queue: SimulatedQueue) -> bool:
    """Whether a queue has jobs to place that nothing but room holds back."""
    reserves = queue.policy is not None and queue.policy.compute_reservation > 0
    return not reserves and bool(scene.heads(queue))


def _all_fit(scene: Scene, queue: SimulatedQueue) -> bool:
    """Whether there is room for a job of the queue, whichever share's turn it is."""
    return all(map(scene.fits, scene.heads(queue)))


def check(record: Record) -> list[Finding]:
    """Every property of a replay."""
    scene = Scene(record.yard)
    service = Service()
    properties: tuple[Property, ...] = (Capacity(), Order(), Priorities(), Reservation(), service, Diligence())
    for instant in instants(record):
        for run in instant.ended:
            scene.ends(run, instant.at)
        for run in instant.submitted:
            scene.submitted(run)
        for run in instant.started:
            for each in properties:
                each.before_start(scene, run, instant.at)
            scene.starts(run)
            for each in properties:
                each.after_start(scene, run, instant.at)
        for each in properties:
            each.settled(scene, instant.at)
    for run in record.waiting:
        service.expect(False, record.ends_at, f"job {run.number} still waits, and nothing more will happen")
    return [each.finding() for each in properties]
