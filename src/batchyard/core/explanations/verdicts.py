"""What stands between a RUNNABLE job and its placement: read off the plan that the scheduler itself makes.

`core.placement.plan` says whom it placed, whom it holds room for, and who can never fit. Whoever is in none of these
was not come to, or was passed over; which of the rules of that file did it follows from the same snapshot.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from batchyard.core.explanations.causes import Cause
from batchyard.core.ids import JobSeq
from batchyard.core.placement import Candidate, Environment, Plan, QueueHeads, Snapshot, Supply, never_fits
from batchyard.core.quota_shares import Ledger


class Place(NamedTuple):
    """Where a job waits: its queue, and there its share."""

    queue_id: int
    share: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The cause. reason: of what can never fit, its statusReason. before: the job that goes first. environments: those
    that are meant. resource: the consumable resource that is short."""

    cause: Cause
    reason: str | None = None
    before: JobSeq | None = None
    environments: tuple[str, ...] = ()
    resource: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is judged: a job as the plan is shown it, where it waits, what its queue places in, and what the plan and
    its snapshot say. `heads`: the queue as the plan saw it, None where it did not. `place_of`: where another job
    waits."""

    candidate: Candidate
    place: Place
    environments: tuple[str, ...]
    view: Snapshot
    plan: Plan
    heads: QueueHeads | None
    place_of: Callable[[JobSeq], Place]

    @property
    def of_queue(self) -> Sequence[Environment]:
        """What the queue places jobs like this in, best first."""
        found = [self.view.environments[name] for name in self.environments if name in self.view.environments]
        kind = self.candidate.instance_type
        return found if kind is None else [each for each in found if each.unit in (None, kind)]

    @property
    def open_to(self) -> Sequence[Environment]:
        """Those that take something now, and are large enough for it."""
        return [each for each in self.of_queue if each.accepts and each.limit >= self.candidate.takes]


def settled(view: Snapshot, plan: Plan, candidate_of: Callable[[JobSeq], Candidate]) -> Snapshot:
    """The snapshot once a plan of it is carried out, so that nobody is told of room that has been given away."""
    if not plan.placements:
        return view
    free, environments = view.free, dict(view.environments)
    taken: dict[str, int] = {}
    for each in plan.placements:
        candidate, into = candidate_of(each.seq), environments[each.compute_environment]
        free = free.less(candidate.need, each.number)
        environments[into.name] = replace(into, used=into.used + candidate.takes * each.number)
        for name, quantity in candidate.consumes:
            taken[name] = taken.get(name, 0) + quantity * each.number
    supplies = _Left(view.supplies, taken) if taken else view.supplies
    return replace(view, free=free, environments=environments, supplies=supplies)


class _Left(dict[str, Supply]):
    """Supplies, less what has been taken of them."""

    def __init__(self, supplies: Mapping[str, Supply], taken: Mapping[str, int]) -> None:
        super().__init__()
        self._supplies, self._taken = supplies, taken

    def __missing__(self, name: str) -> Supply:
        before = self._supplies[name]
        return replace(before, free=before.free - self._taken.get(name, 0))


def judge(waiting: Waiting, status_reason: str | None) -> Verdict:
    """Why a job that is RUNNABLE has not been placed. status_reason: what the scheduler has written on it."""
    seq, plan = waiting.candidate.seq, waiting.plan
    if (reason := _misfit(waiting, status_reason)) is not None:
        return Verdict(Cause.NEVER_FITS, reason, environments=tuple(e.name for e in waiting.of_queue))
    if waiting.open_to and not waiting.candidate.available:
        return Verdict(Cause.MAX_PARALLEL)  # its queue may have no heads then, for it is not among them
    if waiting.heads is None or not waiting.open_to:
        closed = tuple(e.name for e in waiting.of_queue if not e.accepts and e.limit >= waiting.candidate.takes)
        return Verdict(Cause.COMPUTE_ENVIRONMENT_CLOSED, environments=closed)
    if (resource := _short_of(waiting)) is not None:
        return Verdict(Cause.CONSUMABLE_RESOURCE, resource=resource, before=_other(plan.promised.get(resource), seq))
    if seq in plan.held:
        return _without_room(waiting)
    if seq in plan.reserved:
        return Verdict(Cause.RESERVATION)
    if any(placement.seq == seq for placement in plan.placements):
        return Verdict(Cause.ABOUT_TO_BE_PLACED)
    return _not_come_to(waiting)


def is_full(environment: Environment, candidate: Candidate) -> bool:
    """Whether a compute environment has too little left for a job, by its maxvCpus or its instances."""
    return environment.limit - environment.used + 1e-9 < candidate.takes


def _misfit(waiting: Waiting, status_reason: str | None) -> str | None:
    if status_reason is not None and status_reason.startswith("MISCONFIGURATION:"):
        return status_reason
    found = waiting.plan.misfits.get(waiting.candidate.seq)
    return found or never_fits(waiting.candidate, waiting.view.machine, waiting.of_queue)


def _short_of(waiting: Waiting) -> str | None:
    """The first consumable resource of which there is too little."""
    supplies = waiting.view.supplies
    return next((name for name, wanted in waiting.candidate.consumes if supplies[name].free < wanted), None)


def _other(seq: JobSeq | None, than: JobSeq) -> JobSeq | None:
    return None if seq == than else seq


def _without_room(waiting: Waiting) -> Verdict:
    """It is its turn, and it does not fit."""
    names = tuple(each.name for each in waiting.open_to)
    first = _kept_for(waiting, names)
    if first is not None:
        return Verdict(Cause.OTHER_QUEUE_FIRST, before=first, environments=names)
    has_room = any(not is_full(each, waiting.candidate) for each in waiting.open_to)
    is_narrower = all(each.limit < waiting.view.machine.vcpus for each in waiting.open_to)
    if has_room or (not waiting.view.free.fits(waiting.candidate.need) and not is_narrower):
        return Verdict(Cause.MACHINE_FULL, environments=names)
    return Verdict(Cause.COMPUTE_ENVIRONMENT_FULL, environments=names)


def _kept_for(waiting: Waiting, names: Iterable[str]) -> JobSeq | None:
    """Who comes before it in all that might have room for it."""
    left, first = set(names), None
    for seq, environments in waiting.plan.held.items():
        if seq == waiting.candidate.seq:
            break
        if left & environments:
            left -= environments
            first = seq if first is None else first
    return None if left else first


def _not_come_to(waiting: Waiting) -> Verdict:
    """The plan ended before it, or passed it over."""
    plan, place = waiting.plan, waiting.place
    assert waiting.heads is not None
    in_front = [seq for seq in (*plan.held, *plan.reserved) if waiting.place_of(seq).queue_id == place.queue_id]
    same_share = next((seq for seq in in_front if waiting.place_of(seq).share == place.share), None)
    if waiting.heads.quota is not None:
        return _of_quota(waiting, same_share)
    if same_share is not None:
        return Verdict(Cause.BEHIND_IN_QUEUE, before=same_share)
    if in_front:
        cause = Cause.BEHIND_IN_QUEUE if waiting.heads.fair is None else Cause.FAIR_SHARE
        return Verdict(cause, before=in_front[0])
    for name, _ in waiting.candidate.consumes:
        if name in plan.promised:
            before = _other(plan.promised[name], waiting.candidate.seq)
            return Verdict(Cause.CONSUMABLE_RESOURCE, before=before, resource=name)
    return _behind_another_queue(waiting)


def _behind_another_queue(waiting: Waiting) -> Verdict:
    """Who holds the whole machine, so that the plan came to no other queue."""
    if not waiting.plan.is_cut_short:
        return Verdict(Cause.ABOUT_TO_BE_PLACED)
    last = next(reversed(waiting.plan.held))
    return Verdict(Cause.OTHER_QUEUE_FIRST, before=last, environments=tuple(e.name for e in waiting.open_to))


def _of_quota(waiting: Waiting, same_share: JobSeq | None) -> Verdict:
    share, kind = waiting.place.share or "", waiting.candidate.instance_type or ""
    assert waiting.heads is not None
    assert waiting.heads.quota is not None
    ledger = Ledger(waiting.heads.quota.shares, waiting.heads.quota.used)
    if not ledger.own(share, kind) and not ledger.lent(share, kind):
        return Verdict(Cause.QUOTA_SHARE_LIMIT)
    if same_share is not None:
        return Verdict(Cause.BEHIND_IN_QUEUE, before=same_share)
    return _behind_another_queue(waiting)


def supply_of(waiting: Waiting, name: str) -> Mapping[str, int]:
    """What there is of a consumable resource, and what one such job needs."""
    supply = waiting.view.supplies[name]
    return {"quantity": dict(waiting.candidate.consumes)[name], "available": supply.free, "total": supply.total}
