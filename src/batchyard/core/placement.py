"""Which waiting job starts next, and where: `plan(snapshot)`, a pure function.

Queues are served by priority, the higher integer first (API Reference, CreateJobQueue); of equal ones, that which
holds the fewest vCPUs, and then that whose first job is the oldest, so that none waits for ever. Within a queue, first
in, first out, or by fair share (core.fair_share): the first job of the share that has used least, until another has
used less; for each job the queue's compute environments in their order, until one has room for it. A job is never
split, and nothing is ever placed beyond a compute environment's maxvCpus or the machine.

Six rules beyond AWS's words, each to keep one job from hurting another:

* A job that fits only in compute environments that are disabled is passed over.
* A job that could never fit, were everything idle, does not hold up those behind it. It stays RUNNABLE with a
  MISCONFIGURATION reason (F 3.4) and is looked at again when a compute environment or a queue changes.
* A job that does not fit *now* holds back what comes after it where it might run, in its queue and in queues of lower
  priority, or a stream of small jobs would starve it for ever. By fair share, what comes after it is the whole queue:
  it is its turn.
* In a queue with backfill, jobs may pass one that is held back for want of room, if their timeout ends them before it
  could start (core.backfill).
* A job that waits for consumable resources alone holds back only what comes after it and needs one of the same.
* Very short jobs are placed ahead of free room, so that a slot never waits for a commit: up to `ahead` of them, by
  job definition. They are only handed over; the executor starts each when its slot frees, never beyond capacity.
"""

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from batchyard.core import reasons
from batchyard.core.backfill import LOOK_AHEAD, Ending, seconds_until_room
from batchyard.core.fair_share import Standing, Turns
from batchyard.core.ids import AttemptId, JobSeq
from batchyard.core.quota_shares import Ledger, Preemption, QuotaShare, Running


@dataclass(frozen=True, slots=True)
class Room:
    """vCPUs, MiB and GPUs; negative where work has been placed ahead."""

    vcpus: float
    memory_mib: int
    gpus: int = 0

    def less(self, need: "Room", times: int = 1) -> "Room":
        """What is left after `times` such needs."""
        return Room(
            self.vcpus - need.vcpus * times, self.memory_mib - need.memory_mib * times, self.gpus - need.gpus * times
        )

    def fits(self, need: "Room") -> int:
        """How many such needs fit at once; a large number if the need is nothing."""
        counts = [
            math.floor((free + 1e-9) / wanted)
            for free, wanted in (
                (self.vcpus, need.vcpus),
                (self.memory_mib, need.memory_mib),
                (self.gpus, need.gpus),
            )
            if wanted > 0
        ]
        return max(0, min(counts, default=1 << 30))


@dataclass(frozen=True, slots=True)
class Environment:
    """A compute environment to place in: `limit` is maxvCpus, `used` what its active attempts hold.

    Or a capacity limit of a service environment, counted in training instances; those of `unit` (an instance type)
    alone, or of any (None).
    """

    name: str
    limit: float
    used: float
    accepts: bool
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Supply:
    """A consumable resource: `total` is the most that can become free, `free` what active attempts leave of it."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job at the head of its queue; an array counts as `available` equal jobs. `consumes`: what each of them needs of
    consumable resources, as names and quantities above 0. `instance_type`: of a service job, which takes one
    instance of its service environment's limit, whatever it needs of the machine. `charge`: what one counts in its
    share ahead of time, in vCPU-seconds. `priority`: of a service job, within its quota share."""

    seq: JobSeq
    need: Room
    available: int = 1
    ahead: int = 0
    consumes: tuple[tuple[str, int], ...] = ()
    instance_type: str | None = None
    charge: float = 0.0
    priority: int = 0

    @property
    def takes(self) -> float:
        """What it takes of an environment's limit: an instance, or its vCPUs."""
        return self.need.vcpus if self.instance_type is None else 1.0


@dataclass(frozen=True, slots=True)
class FairHeads:
    """The shares of a queue that have something to place, each with its first jobs in the order they are to be served.

    `unreserved` is how many vCPUs, or training instances, the queue may hold in all, less what is kept in reserve;
    `used` is what it holds.
    """

    lines: Iterable[tuple[Standing, Iterable[Candidate]]]
    unreserved: float = math.inf
    used: float = 0.0


@dataclass(frozen=True, slots=True)
class QuotaHeads:
    """The quota shares of a queue, the instances that each holds by name and type, and the first jobs of those that
    have something to place, in the order they are to be served."""

    shares: Sequence[QuotaShare]
    used: Mapping[tuple[str, str], int]
    lines: Iterable[tuple[str, Iterable[Candidate]]]
    running: Sequence[Running] = ()


@dataclass(frozen=True, slots=True)
class QueueHeads:
    """The first jobs of a queue in the order they are to be served; `environments` by name, best first. A queue with
    `fair` or `quota` is served by that instead of `candidates`. `queue_id`: for who wants to know which it is.
    backfill: whether jobs may pass a blocked one that they cannot delay. held_vcpus and oldest, what its active
    attempts hold and the number of the oldest job it has to place, tell queues of equal priority apart."""

    priority: int
    environments: tuple[str, ...]
    candidates: Iterable[Candidate]
    fair: FairHeads | None = None
    quota: QuotaHeads | None = None
    queue_id: int = 0
    backfill: bool = False
    held_vcpus: float = 0.0
    oldest: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a plan depends on. `machine` is everything there is, `free` what active attempts leave of it. `supplies`
    has every consumable resource that a candidate needs. Of queues with backfill: `endings` are those of the active
    attempts; `timeouts` has those of candidates, in seconds or None; an attempt that times out is gone within
    `grace_seconds`."""

    machine: Room
    free: Room
    environments: Mapping[str, Environment]
    queues: Sequence[QueueHeads]
    supplies: Mapping[str, Supply] = field(default_factory=dict)
    endings: Iterable[Ending] = ()
    timeouts: Mapping[JobSeq, float | None] = field(default_factory=dict)
    grace_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Placement:
    """Place `number` units of job `seq` in a compute environment."""

    seq: JobSeq
    compute_environment: str
    number: int


@dataclass(slots=True)
class Plan:
    """placements: in the order to make them. misfits: jobs that can never fit, with the reason. held: jobs that wait
    for room, each with the compute environments that might give it; nothing behind them was looked at, but for
    backfill. room_within: in how many seconds they have room if all that runs uses up its timeouts, of queues with
    backfill and where timeouts tell. backfilled: the jobs that passed them.
    without_capacity: those of them for which the machine has no room, though a compute environment would have some.
    is_cut_short: whether queues were left out, since the whole machine is held. reserved: jobs whose turn it is, and
    that wait because the rest of the queue's vCPUs is reserved for shares that are not active.
    preempted: attempts to stop, since jobs of quota shares have a better claim to their instances. promised: consumable
    resources of which a job waits for more, with the first that does; nothing after it gets any."""

    placements: list[Placement] = field(default_factory=list)
    misfits: dict[JobSeq, str] = field(default_factory=dict)
    held: dict[JobSeq, frozenset[str]] = field(default_factory=dict)
    without_capacity: set[JobSeq] = field(default_factory=set)
    is_cut_short: bool = False
    reserved: set[JobSeq] = field(default_factory=set)
    preempted: list[AttemptId] = field(default_factory=list)
    promised: dict[str, JobSeq] = field(default_factory=dict)
    room_within: dict[JobSeq, float] = field(default_factory=dict)
    backfilled: set[JobSeq] = field(default_factory=set)


_QuotaLine = tuple[Candidate, str, Iterator[Candidate]]


def never_fits(candidate: Candidate, machine: Room, environments: Sequence[Environment]) -> str | None:
    """Why a job could not be placed if everything were idle, or None (F 3.4)."""
    if not machine.fits(candidate.need):
        return reasons.JOB_RESOURCE_REQUIREMENT
    if all(environment.limit < candidate.takes for environment in environments):
        is_service_job = candidate.instance_type is not None
        return reasons.SERVICE_ENVIRONMENT_LIMIT if is_service_job else reasons.COMPUTE_ENVIRONMENT_MAX_RESOURCE
    return None


def plan(snapshot: Snapshot) -> Plan:
    """What to place now."""
    return _Planner(snapshot).run()


def _in_turn(turns: Turns[Candidate]) -> Iterator[Candidate]:
    """The jobs of all shares as their turns come, none of them taken."""
    while (candidate := turns.head()) is not None:
        yield candidate
        turns.skip()


class _Planner:
    """The running totals of one plan."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.free = snapshot.free
        # Of service environments: instances.
        self.free_vcpus = {name: e.limit - e.used for name, e in snapshot.environments.items()}
        self.held_back: set[str] = set()
        self.machine_is_held = False
        self.supplied: dict[str, int] = {}
        self.needs: dict[JobSeq, Room] = {}
        self.result = Plan()

    def run(self) -> Plan:
        for queue in sorted(self.snapshot.queues, key=lambda q: (-q.priority, q.held_vcpus, q.oldest)):
            self._serve(queue)
            if self.machine_is_held:
                self.result.is_cut_short = True
                break
        return self.result

    def _serve(self, queue: QueueHeads) -> None:
        environments = [self.snapshot.environments[n] for n in queue.environments if n in self.snapshot.environments]
        if queue.fair is not None:
            self._serve_shares(queue.fair, environments, backfill=queue.backfill)
            return
        if queue.quota is not None:
            self._serve_quota_shares(queue.quota, environments)
            return
        waiting = iter(queue.candidates)
        kept = frozenset(self.held_back)
        for candidate in waiting:
            if self._offer(candidate, candidate.available, environments) is None:
                if queue.backfill:
                    self._backfill(candidate, waiting, environments, kept)
                return

    def _serve_shares(self, fair: FairHeads, environments: Sequence[Environment], *, backfill: bool) -> None:
        turns = Turns(fair.lines)
        kept = frozenset(self.held_back)
        used = fair.used
        while (candidate := turns.head()) is not None:
            allowed = 1 << 30
            if fair.unreserved < math.inf:
                allowed = Room(fair.unreserved - used, 0).fits(Room(candidate.takes, 0))
            if not used:
                allowed = max(1, allowed)  # or a job larger than what is not reserved would wait for ever
            most = min(turns.most(candidate.charge), allowed)
            number = self._offer(candidate, most, environments)
            if number is None:
                if backfill:
                    behind = _in_turn(turns)
                    next(behind)  # the head itself
                    self._backfill(candidate, behind, environments, kept, fair.unreserved - used)
                return
            if not allowed and candidate.seq not in self.result.misfits:
                self.result.reserved.add(candidate.seq)
                return
            used += candidate.takes * number
            if number:
                turns.take(number, candidate.charge)
            if number < most or not number:
                turns.skip()

    def _serve_quota_shares(self, quota: QuotaHeads, environments: Sequence[Environment]) -> None:
        """What shares are entitled to, and then what they may borrow; either first in, first out."""
        ledger = Ledger(quota.shares, quota.used)
        heads = [(name, iter(jobs)) for name, jobs in quota.lines]
        first = [(job, name, jobs) for name, jobs in heads if (job := next(jobs, None)) is not None]
        waiting: list[_QuotaLine] = []
        borrowers = self._serve_lines(first, ledger.own, ledger, environments, waiting)
        preemption = Preemption(ledger, quota.running)
        for job, name, jobs in waiting:
            kind = job.instance_type or ""
            if all(self.free_vcpus[e.name] < 1 for e in environments if e.unit in (None, kind)):
                preemption.restore(kind, 1 + sum(1 for _ in islice(jobs, ledger.own(name, kind) - 1)))

        def allowed(name: str, kind: str) -> int:
            return ledger.own(name, kind) or ledger.lent(name, kind)

        for job, name, _ in self._serve_lines(borrowers, allowed, ledger, environments, []):
            preemption.make_way(name, job.instance_type or "", job.priority)
        self.result.preempted += preemption.victims

    def _serve_lines(
        self,
        first: Iterable[_QuotaLine],
        allowed: Callable[[str, str], int],
        ledger: Ledger,
        environments: Sequence[Environment],
        waiting: list[_QuotaLine],
    ) -> list[_QuotaLine]:
        """Place job after job while its share is `allowed` more. Returns the lines whose next job is not; adds those
        whose next job finds no room to `waiting`."""
        lines, stopped = list(first), []
        while lines and not self.machine_is_held:
            line = min(lines, key=lambda each: each[0].seq)
            lines.remove(line)
            job, name, jobs = line
            kind = job.instance_type or ""
            if not ledger.has_any(name, kind):
                self.result.misfits[job.seq] = reasons.QUOTA_SHARE_LIMIT
            elif never_fits(job, self.snapshot.machine, environments) is None and not allowed(name, kind):
                stopped.append(line)
                continue
            number = self._offer(job, 1, environments) if ledger.has_any(name, kind) else 0
            if number is None:
                waiting.append(line)
                continue  # the room is kept for it; what comes after it in its share waits with it
            if number:
                ledger.take(name, kind)
            if (following := next(jobs, None)) is not None:
                lines.append((following, name, jobs))
        return stopped

    def _offer(self, candidate: Candidate, most: int, of_queue: Sequence[Environment]) -> int | None:
        """Place up to `most` units. Returns how many were, or None where what comes after it has to wait with it."""
        environments = of_queue
        if candidate.instance_type is not None:
            environments = [e for e in of_queue if e.unit in (None, candidate.instance_type)]
        reason = never_fits(candidate, self.snapshot.machine, environments)
        if candidate.consumes and reason is None:
            reason = self._never_supplied(candidate)
        if reason is not None:
            self.result.misfits[candidate.seq] = reason
            return 0
        if not any(e.accepts for e in of_queue):
            return None
        open_to = [e for e in environments if e.accepts and e.limit >= candidate.takes]
        if not open_to:
            return 0
        number = self._supply(candidate, most) if candidate.consumes else most
        left = self._place(candidate, number, [e for e in open_to if e.name not in self.held_back])
        if left or number < most:
            for name, _ in candidate.consumes:
                self.result.promised.setdefault(name, candidate.seq)
        if left:
            self._hold(candidate, open_to)
            return None
        return number

    def _backfill(
        self,
        head: Candidate,
        behind: Iterator[Candidate],
        environments: Sequence[Environment],
        kept: Collection[str],
        spare: float = math.inf,
    ) -> None:
        """Place what comes after a held job, and will have ended before it could start; of at most `spare` vCPUs, and
        not where room is `kept` for jobs of queues before this one."""
        if head.seq not in self.result.held or head.instance_type is not None:
            return
        names = [e.name for e in environments if e.accepts and e.limit >= head.takes]
        within = seconds_until_room(head.need, names, self.free, self.free_vcpus, self._endings())
        if within is None:
            return
        self.result.room_within[head.seq] = within
        open_to = [e for e in environments if e.accepts and e.name not in kept]
        for candidate in islice(behind, LOOK_AHEAD):
            timeout = self.snapshot.timeouts[candidate.seq]
            if timeout is None or timeout + self.snapshot.grace_seconds > within or candidate.consumes:
                continue
            most = candidate.available
            if spare < math.inf:
                most = min(most, Room(spare, 0).fits(Room(candidate.takes, 0)))
            number = most - self._place(replace(candidate, ahead=0), most, open_to)
            spare -= candidate.takes * number
            if number:
                self.result.backfilled.add(candidate.seq)

    def _endings(self) -> Iterator[Ending]:
        """Of what is active, and of what this plan has placed."""
        yield from self.snapshot.endings
        for one in self.result.placements:
            ending = Ending(self.needs[one.seq], one.compute_environment, self.snapshot.timeouts[one.seq])
            yield from [ending] * one.number

    def _never_supplied(self, candidate: Candidate) -> str | None:
        """Why a job could not be placed if nothing else needed its consumable resources, or None."""
        is_short = any(self.snapshot.supplies[name].total < quantity for name, quantity in candidate.consumes)
        return reasons.CONSUMABLE_RESOURCE if is_short else None

    def _supply(self, candidate: Candidate, most: int) -> int:
        """How many of `most` units the consumable resources suffice for, less what this plan has taken or promised."""
        if any(name in self.result.promised for name, _ in candidate.consumes):
            return 0
        supplies = self.snapshot.supplies
        counts = [(supplies[name].free - self.supplied.get(name, 0)) // wanted for name, wanted in candidate.consumes]
        return max(0, min(most, *counts))

    def _place(self, candidate: Candidate, number: int, environments: Sequence[Environment]) -> int:
        """Place what fits of `number` units, then what may wait ahead; returns how many are left."""
        left = number
        for environment in environments:
            left -= self._put(candidate, environment, min(left, self._fits(candidate, environment)))
            if not left:
                return 0
        if candidate.ahead and environments:
            first = environments[0]
            left -= self._put(candidate, first, min(left, self._ahead(candidate, first)))
        return left

    def _fits(self, candidate: Candidate, environment: Environment) -> int:
        limit = Room(self.free_vcpus[environment.name], 0).fits(Room(candidate.takes, 0))
        return min(limit, self.free.fits(candidate.need))

    def _ahead(self, candidate: Candidate, environment: Environment) -> int:
        """How many more may wait at the executor: `ahead`, less those that wait there already."""
        need = candidate.need
        overdrawn = [
            -free / wanted
            for free, wanted in (
                (self.free_vcpus[environment.name], need.vcpus),
                (self.free.vcpus, need.vcpus),
                (self.free.memory_mib, need.memory_mib),
                (self.free.gpus, need.gpus),
            )
            if wanted > 0
        ]
        return max(0, candidate.ahead - math.ceil(max([0.0, *overdrawn])))

    def _put(self, candidate: Candidate, environment: Environment, number: int) -> int:
        if number > 0:
            self.free = self.free.less(candidate.need, number)
            self.free_vcpus[environment.name] -= candidate.takes * number
            for name, quantity in candidate.consumes:
                self.supplied[name] = self.supplied.get(name, 0) + quantity * number
            self.needs[candidate.seq] = candidate.need
            self.result.placements.append(Placement(candidate.seq, environment.name, number))
        return max(0, number)

    def _hold(self, candidate: Candidate, environments: Sequence[Environment]) -> None:
        """Keep the room that this job waits for from whatever would be served after it."""
        names = frozenset(e.name for e in environments)
        self.held_back |= names
        if not self.free.fits(candidate.need):
            self.machine_is_held = True
            if any(self.free_vcpus[e.name] + 1e-9 >= candidate.need.vcpus for e in environments):
                self.result.without_capacity.add(candidate.seq)
            names = frozenset(self.snapshot.environments)
        self.result.held[candidate.seq] = names
