"""Who waits, what runs and what is free at one moment of a replay, followed from the record alone."""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator

from batchyard.core.ids import JobSeq, Millis
from batchyard.simulator.record import Run
from batchyard.simulator.yard import SimulatedQueue, SimulatedYard

_SLACK = 1e-9


class Scene:
    """vcpus, memory_mib: in use on the machine; by_environment, by_queue: vCPUs in use there."""

    def __init__(self, yard: SimulatedYard) -> None:
        self.yard = yard
        self.queues = {queue.name: queue for queue in yard.queues}
        self.vcpus, self.memory_mib = 0.0, 0
        self.by_environment: dict[str, float] = defaultdict(float)
        self.by_queue: dict[str, float] = defaultdict(float)
        self._waiting: dict[str, dict[str, OrderedDict[JobSeq, Run]]] = {name: {} for name in self.queues}
        self._running: dict[str, Counter[str]] = {name: Counter() for name in self.queues}
        self._last_end: dict[str, dict[str, Millis]] = {name: {} for name in self.queues}

    def ends(self, run: Run, now: Millis) -> None:
        """A job has ended."""
        self._hold(run, -1)
        self._last_end[run.queue][run.share_identifier] = now

    def submitted(self, run: Run) -> None:
        """A job has come."""
        self._waiting[run.queue].setdefault(run.share_identifier, OrderedDict())[run.seq] = run

    def starts(self, run: Run) -> None:
        """A job has been placed."""
        shares = self._waiting[run.queue]
        del shares[run.share_identifier][run.seq]
        if not shares[run.share_identifier]:
            del shares[run.share_identifier]
        self._hold(run, 1)

    def fits(self, run: Run) -> bool:
        """Whether there is room for a job now."""
        machine = self.yard.machine
        free = machine.vcpus - self.vcpus + _SLACK
        if free < run.vcpus or (self.yard.bounds_memory and machine.memory_mib - self.memory_mib < run.memory_mib):
            return False
        limits = self.yard.environments
        order = self.queues[run.queue].environments
        return any(limits[name] - self.by_environment[name] + _SLACK >= run.vcpus for name in order)

    def heads(self, queue: SimulatedQueue) -> list[Run]:
        """The jobs that are first in their lines."""
        firsts = [next(iter(line.values())) for line in self._waiting[queue.name].values()]
        return firsts if queue.policy is not None else [min(firsts, key=lambda run: run.seq)] if firsts else []

    def waiting_shares(self, queue: SimulatedQueue) -> Iterator[str]:
        """The shares of a queue that have something to place."""
        return iter(self._waiting[queue.name])

    def has_used(self, queue: SimulatedQueue, share: str, now: Millis) -> bool:
        """Whether anything of a share runs, or has ended within the decay window."""
        return self._running[queue.name][share] > 0 or self._ended_lately(queue, share, now)

    def active_shares(self, queue: SimulatedQueue, now: Millis) -> int:
        """How many shares have a job that has not ended, or one that has within the decay window."""
        known = {*self._waiting[queue.name], *self._running[queue.name], *self._last_end[queue.name]}
        waiting = self._waiting[queue.name]
        return sum(share in waiting or self.has_used(queue, share, now) for share in known)

    def _ended_lately(self, queue: SimulatedQueue, share: str, now: Millis) -> bool:
        assert queue.policy is not None
        ended_at = self._last_end[queue.name].get(share)
        return ended_at is not None and now - ended_at < queue.policy.window_seconds * 1000

    def _hold(self, run: Run, sign: int) -> None:
        self.vcpus += sign * run.vcpus
        self.memory_mib += sign * run.memory_mib
        self.by_environment[run.environment] += sign * run.vcpus
        self.by_queue[run.queue] += sign * run.vcpus
        self._running[run.queue][run.share_identifier] += sign
