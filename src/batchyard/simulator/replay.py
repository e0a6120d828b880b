"""A trace against a yard, event by event, at simulated speed.

As a tick of the engine does (engine.tick): all that has ended at one moment is charged to its share, what has been
submitted joins its line, and `placement.plan` decides from a snapshot of the moment. Nothing is decided here. What the
engine keeps in rows stands in memory; an attempt starts when it is placed, and nothing is placed ahead.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import count

from batchyard.core.ids import JobSeq, Millis
from batchyard.core.placement import Environment, Plan, Room, Snapshot, plan
from batchyard.engine.pace import Pace
from batchyard.simulator.queues import QueueState, SimulatedJob
from batchyard.simulator.record import FOREVER, Record, Run
from batchyard.simulator.swf import UNKNOWN, Trace, TraceJob
from batchyard.simulator.yard import SimulatedYard

Planner = Callable[[Snapshot], Plan]


def replay(trace: Trace, yard: SimulatedYard, planner: Planner = plan) -> Record:
    """Run every job of the trace to its end. `planner`: what decides, if not the product's own."""
    return _Replay(trace, yard, planner).run()


class _Arrivals:
    """What is submitted next: jobs at their time, and those that follow another when it has ended."""

    def __init__(self, jobs: Iterable[TraceJob]) -> None:
        self._places = count()
        self._followers: dict[int, list[TraceJob]] = defaultdict(list)
        self._due: list[tuple[Millis, int, TraceJob]] = []
        for job in jobs:
            if job.preceding is None:
                self._due.append((job.submitted_at, next(self._places), job))
            else:
                self._followers[job.preceding].append(job)
        heapq.heapify(self._due)

    def next_at(self) -> Millis:
        return self._due[0][0] if self._due else FOREVER

    def pop(self) -> TraceJob:
        return heapq.heappop(self._due)[-1]

    def ended(self, number: int, now: Millis) -> None:
        for job in self._followers.pop(number, ()):
            at = Millis(max(job.submitted_at, now + job.think_millis))
            heapq.heappush(self._due, (at, next(self._places), job))


class _Replay:
    """The state of one replay."""

    def __init__(self, trace: Trace, yard: SimulatedYard, planner: Planner) -> None:
        self._yard = yard
        self._planner = planner
        self._now = Millis(0)
        self._pace = Pace()
        self._free = yard.machine
        self._used = dict.fromkeys(yard.environments, 0.0)
        self._queues = {queue.name: QueueState(queue, yard.most_vcpus(queue)) for queue in yard.queues}
        self._waiting: dict[JobSeq, SimulatedJob] = {}
        self._ends: list[tuple[Millis, JobSeq, SimulatedJob, str]] = []
        self._runs: list[Run] = []
        self._misfits: list[Run] = []
        self._plans = 0
        self._seqs = count(1)
        self._definitions: dict[tuple[int, int], int] = {}
        self._arrivals = _Arrivals(trace.jobs)

    def run(self) -> Record:
        while (now := min(self._arrivals.next_at(), self._ends[0][0] if self._ends else FOREVER)) < FOREVER:
            self._now = now
            while self._ends and self._ends[0][0] == now:
                _, _, job, environment = heapq.heappop(self._ends)
                self._end(job, environment)
            while self._arrivals.next_at() <= now:
                self._submit(self._arrivals.pop())
            self._place()
        waiting = [_never_run(job) for job in self._waiting.values()]
        return Record(self._yard, self._runs, waiting, self._misfits, self._plans)

    def _end(self, job: SimulatedJob, environment: str) -> None:
        self._queues[job.queue].end(job, self._now)
        self._free = self._free.less(job.need, -1)
        self._used[environment] -= job.need.vcpus
        self._pace.note(job.definition_id, job.run_millis)
        self._arrivals.ended(job.number, self._now)

    def _submit(self, traced: TraceJob) -> None:
        queue = self._yard.queue_of(traced)
        kind = (traced.user, traced.executable if traced.executable != UNKNOWN else -traced.number)
        job = SimulatedJob(
            seq=JobSeq(next(self._seqs)),
            number=traced.number,
            queue=queue.name,
            share_identifier=queue.share_identifier(traced),
            need=Room(traced.processors, traced.memory_mib if self._yard.bounds_memory else 0),
            submitted_at=self._now,
            run_millis=traced.run_millis,
            definition_id=self._definitions.setdefault(kind, len(self._definitions)),
        )
        self._waiting[job.seq] = job
        self._queues[queue.name].submit(job)

    def _place(self) -> None:
        if not self._waiting:
            return
        found = (queue.heads(self._pace, self._now) for queue in self._queues.values())
        environments = {
            name: Environment(name, limit, self._used[name], accepts=True)
            for name, limit in self._yard.environments.items()
        }
        queues = [heads for heads in found if heads is not None]
        made = self._planner(Snapshot(self._yard.machine, self._free, environments, queues))
        self._plans += 1
        for seq in made.misfits:
            job = self._waiting.pop(seq)
            self._queues[job.queue].drop(job)
            self._misfits.append(_never_run(job))
            self._arrivals.ended(job.number, self._now)
        for placed in made.placements:
            self._start(self._waiting.pop(placed.seq), placed.compute_environment)

    def _start(self, job: SimulatedJob, environment: str) -> None:
        self._queues[job.queue].start(job, self._now)
        self._free = self._free.less(job.need)
        self._used[environment] += job.need.vcpus
        ends_at = Millis(self._now + job.run_millis)
        heapq.heappush(self._ends, (ends_at, job.seq, job, environment))
        self._runs.append(_run(job, self._now, ends_at, environment))


def _never_run(job: SimulatedJob) -> Run:
    return _run(job, FOREVER, FOREVER, "")


def _run(job: SimulatedJob, started_at: Millis, ended_at: Millis, environment: str) -> Run:
    return Run(
        seq=job.seq,
        number=job.number,
        queue=job.queue,
        share_identifier=job.share_identifier,
        vcpus=job.need.vcpus,
        memory_mib=job.need.memory_mib,
        submitted_at=job.submitted_at,
        started_at=started_at,
        ended_at=ended_at,
        environment=environment,
    )
