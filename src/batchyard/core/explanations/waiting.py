"""A verdict on a RUNNABLE job, in words and as data."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from batchyard.core import reasons
from batchyard.core.batchyard_tags import MAX_PARALLEL
from batchyard.core.explanations.causes import Cause, Explanation, Facts, Mention, counted, listed
from batchyard.core.explanations.passing import why_not_past
from batchyard.core.explanations.verdicts import Verdict, Waiting, is_full, supply_of
from batchyard.core.fair_share import Standing
from batchyard.core.ids import Millis
from batchyard.core.placement import Environment, Room
from batchyard.core.resources import DISABLED, JobQueue
from batchyard.core.service_capacity import NUM_INSTANCES
from batchyard.core.time_limits import BlockedJob

POSITIONS_MAX = 1000
"""So many jobs before one are counted; beyond that there are more."""

_NAMED_MAX = 3
"""Of those that hold something, so many are named in a sentence."""


@dataclass(frozen=True, slots=True)
class Holder:
    """What the running attempts of one job hold in one compute environment. quantity: of the consumable resource that
    is asked about. attempts: how many hold it together."""

    job: Mention
    compute_environment: str
    room: Room
    attempts: int = 1
    quantity: int | None = None

    @property
    def facts(self) -> Facts:
        """Who and how much."""
        held = {**_amounts(self.room), "attempts": self.attempts, "computeEnvironment": shown(self.compute_environment)}
        return {**self.job.facts, **held, **({} if self.quantity is None else {"quantity": self.quantity})}


class Position(NamedTuple):
    """How many jobs are served before one, in its queue or its share, and how many children of its own array; beyond
    POSITIONS_MAX jobs there are more."""

    jobs: int
    children: int = 0

    @property
    def is_more(self) -> bool:
        """Whether there are more jobs than are told."""
        return self.jobs > POSITIONS_MAX

    @property
    def facts(self) -> Facts:
        """The same as data."""
        jobs = min(self.jobs, POSITIONS_MAX)
        return {"jobsAhead": jobs, "childrenAhead": self.children, "isMore": self.is_more}

    def __str__(self) -> str:
        jobs = counted(min(self.jobs, POSITIONS_MAX), "job")
        before = [f"more than {jobs}" if self.is_more else jobs] if self.jobs else []
        children = [f"{counted(self.children, 'child', 'children')} of its array"] if self.children else []
        return listed([*before, *children]) or "none"


class OpenState(NamedTuple):
    """A compute environment's state and status, or a service environment's."""

    state: str
    status: str
    status_reason: str


@dataclass(frozen=True, slots=True)
class Situation:
    """What is said besides the verdict. before: the job that goes first, and `why_before`: what it waits for.
    holders: of what is missing, the most first; `others` more are not listed. states: of environments, by name.
    shares: of a fair-share queue, the next one first. reservation: what such a queue holds, and what it may hold in all
    besides what is reserved. quota: what a quota share has of the instance type. at_work: of an array with a limit, how
    many children are STARTING or RUNNING, and how many may be at once."""

    queue: JobQueue
    position: Position
    before: Mention | None = None
    why_before: str = ""
    holders: Sequence[Holder] = ()
    others: int = 0
    states: Mapping[str, OpenState] | None = None
    shares: Sequence[Standing] = ()
    reservation: tuple[float, float] | None = None
    quota: Facts | None = None
    at_work: tuple[int, int] | None = None


def explain(waiting: Waiting, verdict: Verdict, situation: Situation) -> Explanation:
    """What keeps a RUNNABLE job from being placed."""
    found = _WORDS[verdict.cause](waiting, verdict, situation)
    details: list[str] = []
    facts: dict[str, Any] = {}
    has_place = verdict.cause is not Cause.NEVER_FITS
    if has_place:
        facts["position"] = situation.position.facts
    if has_place and (situation.position.jobs or situation.position.children):
        of = f"share {waiting.place.share} of the queue" if waiting.place.share else "queue"
        details.append(f"Before it in the {of} {situation.queue.name}: {situation.position}.")
    if situation.holders:
        facts["holders"] = [holder.facts for holder in situation.holders]
        details += [_holding(holder) for holder in situation.holders]
        details += [f"And {counted(situation.others, 'more job')}."] if situation.others else []
    if situation.before is not None:
        facts["before"] = {**situation.before.facts, "why": situation.why_before}
    if verdict.cause in (Cause.BEHIND_IN_QUEUE, Cause.FAIR_SHARE) and (passing := why_not_past(waiting, verdict)):
        details.append(passing.sentence)
        facts["backfill"] = passing.facts
    if situation.queue.state == DISABLED:
        details.append(
            f"The queue {situation.queue.name} is DISABLED: it takes no new jobs, and goes on with this one."
        )
    queue = {"name": situation.queue.name, "state": situation.queue.state, "priority": situation.queue.priority}
    return found.told(*details, queue=queue, needs=_amounts(waiting.candidate.need), **facts)


def blocked(found: Explanation, known: BlockedJob, now: Millis) -> Explanation:
    """The explanation of a job that says why in its statusReason, with since when, and when that is ended."""
    facts = {"reason": known.reason, "since": known.since}
    said = [f"It has been blocked for {_duration(now - known.since)}: {known.reason}"]
    if known.due_at is not None:
        facts["endsAt"] = known.due_at
        said.append(f"In {_duration(max(0, known.due_at - now))} the jobStateTimeLimitActions of its queue end it.")
    return found.told(*said, blocked=facts)


def shown(environment: str) -> str:
    """What people call a compute environment, or a capacity limit of a service environment."""
    return environment.removeprefix("service-environment/")


# ------------------------------------------------------------------------------------------------------------- causes


def _never_fits(waiting: Waiting, verdict: Verdict, _situation: Situation) -> Explanation:
    names = listed([shown(name) for name in verdict.environments], "or") or "none"
    need, reason = waiting.candidate.need, verdict.reason or ""
    facts: dict[str, Any] = {"reason": reason, "machine": _amounts(waiting.view.machine)}
    if reason == reasons.CONSUMABLE_RESOURCE:
        name = _unattainable(waiting)
        supply = supply_of(waiting, name)
        sentence = f"{supply['quantity']:,} of {name}, and there can never be more than {supply['total']:,}"
        remedy, facts["resource"] = "Raise its total quantity (UpdateConsumableResource).", {"name": name, **supply}
    elif reason == reasons.QUOTA_SHARE_LIMIT:
        sentence = f"an instance {waiting.candidate.instance_type}, of which its quota share may hold none"
        remedy = "Give the share a capacity limit for it (UpdateQuotaShare), or let it borrow without limit."
    elif reason == reasons.JOB_RESOURCE_REQUIREMENT:
        sentence = f"{_text(need)}, and the machine has {_text(waiting.view.machine)}"
        remedy = "Submit it again with less, or let jobs have more of the machine (--max-vcpus, --max-memory)."
    else:
        limits = listed([f"{shown(e.name)} {e.limit:g}" for e in waiting.of_queue]) or "nothing"
        what = f"an instance {waiting.candidate.instance_type}" if waiting.candidate.instance_type else _text(need)
        sentence = f"{what}, and its queue has room for {limits} at the most"
        remedy = f"Submit it again with less, or raise the limit of {names}."
    return Explanation(Cause.NEVER_FITS, f"It can never be placed: it needs {sentence}. {remedy}", (), facts)


def _unattainable(waiting: Waiting) -> str:
    supplies = waiting.view.supplies
    consumes = waiting.candidate.consumes
    return next((name for name, wanted in consumes if supplies[name].total < wanted), consumes[0][0])


def _closed(waiting: Waiting, verdict: Verdict, situation: Situation) -> Explanation:
    states = {name: (situation.states or {}).get(name, OpenState("DELETED", "", "")) for name in verdict.environments}
    said = [
        f"{shown(name)} is {s.state if s.state != 'ENABLED' else s.status}"
        + (f" ({s.status_reason})" if s.state == "ENABLED" and s.status_reason else "")
        for name, s in states.items()
    ]
    environments = [{"name": shown(n), "state": s.state, "status": s.status} for n, s in states.items()]
    which = (
        "None of its queue's compute environments takes jobs now" if said else "Its queue has nothing to place it in"
    )
    if any(each.accepts for each in waiting.of_queue):
        which = "The compute environments that are large enough for it take no jobs now"
    sentence = f"{which}: {listed(said)}." if said else f"{which}."
    return Explanation(Cause.COMPUTE_ENVIRONMENT_CLOSED, sentence, (), {"computeEnvironments": environments})


def _machine_full(waiting: Waiting, _verdict: Verdict, situation: Situation) -> Explanation:
    free, machine = waiting.view.free, waiting.view.machine
    lack = _lack(waiting.candidate.need, free, machine)
    sentence = f"It waits for room on this machine: {lack}. {_held_by(situation)}".rstrip()
    facts = {"machine": {"total": _amounts(machine), "free": _amounts(free)}}
    return Explanation(Cause.MACHINE_FULL, sentence, (), facts)


def _environment_full(waiting: Waiting, _verdict: Verdict, situation: Situation) -> Explanation:
    full = [e for e in waiting.open_to if is_full(e, waiting.candidate)]
    unit, limit = ("instance", "limit") if waiting.candidate.instance_type else ("vCPU", "maxvCpus")
    said = [f"{shown(e.name)} has {max(0.0, e.limit - e.used):g} of its {counted(e.limit, unit)} free" for e in full]
    needs = counted(waiting.candidate.takes, unit)
    sentence = f"It waits for room: it needs {needs}, and {listed(said)} ({limit}). {_held_by(situation)}".rstrip()
    return Explanation(Cause.COMPUTE_ENVIRONMENT_FULL, sentence, (), {"computeEnvironments": _limits(full)})


def _behind(waiting: Waiting, _verdict: Verdict, situation: Situation) -> Explanation:
    where = f"share {waiting.place.share} of the queue" if waiting.place.share else "queue"
    sentence = f"It waits behind {situation.before} in the {where} {situation.queue.name}, for which room is kept"
    return Explanation(Cause.BEHIND_IN_QUEUE, f"{sentence}. {_why_before(situation)}".rstrip())


def _other_queue(waiting: Waiting, verdict: Verdict, situation: Situation) -> Explanation:
    before = situation.before or Mention()
    queue = f"{before} in the queue {before.job_queue}" if before.job_id else str(before)
    sentence = f"Room is kept for {queue}, which is served before the queue {situation.queue.name}"
    environments = [e for e in waiting.open_to if e.name in verdict.environments]
    facts = {"computeEnvironments": _limits(environments)}
    return Explanation(Cause.OTHER_QUEUE_FIRST, f"{sentence}. {_why_before(situation)}".rstrip(), (), facts)


def _fair_share(waiting: Waiting, _verdict: Verdict, situation: Situation) -> Explanation:
    shares = list(situation.shares)
    mine = next((at for at, each in enumerate(shares) if each.share_identifier == waiting.place.share), len(shares))
    sentence = f"It is not the turn of its share {waiting.place.share}"
    if mine < len(shares):
        used, least, next_one = shares[mine].weighted, shares[0].weighted, shares[0].share_identifier
        sentence += (
            f", number {mine + 1} of {len(shares)}: by weight it has used {used:,.1f} vCPU-seconds, and share "
            f"{next_one}, which is next, {least:,.1f}"
        )
    facts = {"shareIdentifier": waiting.place.share, "shares": [_share_facts(each) for each in shares]}
    found = Explanation(Cause.FAIR_SHARE, f"{sentence}. {_why_before(situation)}".rstrip(), (), facts)
    return found.told(*(_share_words(each) for each in shares[: _NAMED_MAX + 2]))


def _reservation(waiting: Waiting, _verdict: Verdict, situation: Situation) -> Explanation:
    held, unreserved = situation.reservation or (0.0, 0.0)
    unit = "instances" if waiting.candidate.instance_type else "vCPUs"
    sentence = (
        f"It is its turn, and what is left of the queue {situation.queue.name} is reserved for shares that are not "
        f"active: the active ones hold {held:g} of the {unreserved:g} {unit} that they may have together."
    )
    facts = {"held": held, "unreserved": unreserved, "shareIdentifier": waiting.place.share}
    return Explanation(Cause.RESERVATION, sentence, (), facts)


def _quota_share(waiting: Waiting, _verdict: Verdict, situation: Situation) -> Explanation:
    quota = situation.quota or {}
    if quota.get("state") == DISABLED:
        sentence = f"Its quota share {waiting.place.share} is DISABLED."
    else:
        used, limit = quota.get("used", 0), counted(quota.get("limit", 0), "instance")
        kind = "" if quota.get("capacityUnit") == NUM_INSTANCES else f" {waiting.candidate.instance_type}"
        sentence = (
            f"Its quota share {waiting.place.share} holds {used} of its {limit}{kind}, and can borrow no more now. "
            f"{_held_by(situation)}"
        )
    return Explanation(Cause.QUOTA_SHARE_LIMIT, sentence.rstrip(), (), {"quotaShare": quota})


def _resource(waiting: Waiting, verdict: Verdict, situation: Situation) -> Explanation:
    name = verdict.resource or ""
    supply = supply_of(waiting, name)
    free = max(0, supply["available"])
    sentence = f"It needs {supply['quantity']:,} of {name}, of which {free:,} of {supply['total']:,} are free."
    if situation.before is not None:
        sentence += f" {situation.before} waits for it, too, and goes first."
    holders = [f"{holder.job} holds {holder.quantity:,}" for holder in situation.holders[:_NAMED_MAX]]
    sentence += f" {listed(holders)}." if holders else ""
    facts = {"resource": {"name": name, **supply}}
    return Explanation(Cause.CONSUMABLE_RESOURCE, sentence, (), facts)


def _max_parallel(_waiting: Waiting, _verdict: Verdict, situation: Situation) -> Explanation:
    running, limit = situation.at_work or (0, 0)
    number = f"{running:,} of {limit:,}" if running == limit else f"{running:,}, and it allows {limit:,}"
    sentence = f"As many children of its array as {MAX_PARALLEL} allows are at work now: {number}."
    return Explanation(Cause.MAX_PARALLEL, sentence, (), {"maxParallel": {"limit": limit, "atWork": running}})


def _about_to_be_placed(_waiting: Waiting, _verdict: Verdict, _situation: Situation) -> Explanation:
    return Explanation(Cause.ABOUT_TO_BE_PLACED, "Nothing stands in its way: it is about to be placed.")


_WORDS: Mapping[Cause, Callable[[Waiting, Verdict, Situation], Explanation]] = {
    Cause.NEVER_FITS: _never_fits,
    Cause.COMPUTE_ENVIRONMENT_CLOSED: _closed,
    Cause.MACHINE_FULL: _machine_full,
    Cause.COMPUTE_ENVIRONMENT_FULL: _environment_full,
    Cause.BEHIND_IN_QUEUE: _behind,
    Cause.OTHER_QUEUE_FIRST: _other_queue,
    Cause.FAIR_SHARE: _fair_share,
    Cause.RESERVATION: _reservation,
    Cause.QUOTA_SHARE_LIMIT: _quota_share,
    Cause.CONSUMABLE_RESOURCE: _resource,
    Cause.MAX_PARALLEL: _max_parallel,
    Cause.ABOUT_TO_BE_PLACED: _about_to_be_placed,
}


# ------------------------------------------------------------------------------------------------------------- wording


def _duration(millis: int) -> str:
    seconds = millis // 1000
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60:,} min"


def _amounts(room: Room) -> dict[str, float]:
    return {"vcpus": room.vcpus, "memoryMiB": room.memory_mib, "gpus": room.gpus}


def _text(room: Room) -> str:
    gpus = [counted(room.gpus, "GPU")] if room.gpus else []
    return listed([counted(room.vcpus, "vCPU"), f"{room.memory_mib:,} MiB", *gpus])


def _lack(need: Room, free: Room, total: Room) -> str:
    """What is short, of what there is."""
    pairs = (
        ("vCPUs", need.vcpus, free.vcpus, total.vcpus),
        ("MiB", need.memory_mib, free.memory_mib, total.memory_mib),
        ("GPUs", need.gpus, free.gpus, total.gpus),
    )
    short = [each for each in pairs if each[1] > each[2] + 1e-9]
    needs = listed([f"{wanted:,g} {unit}" for unit, wanted, _, _ in short])
    left = listed([f"{max(0, left):,g} of {of:,g} {unit}" for unit, _, left, of in short])
    return f"it needs {needs}, and {left} are free"


def _held_by(situation: Situation) -> str:
    named = [str(holder.job) for holder in situation.holders[:_NAMED_MAX]]
    more = len(situation.holders) + situation.others - len(named)
    named += [counted(more, "more job")] if more > 0 else []
    return f"It is held by {listed(named)}." if named else ""


def _holding(holder: Holder) -> str:
    times = f", with {counted(holder.attempts, 'attempt')}" if holder.attempts > 1 else ""
    what = f"{holder.quantity:,}" if holder.quantity is not None else _text(holder.room)
    return f"{holder.job} holds {what} in {shown(holder.compute_environment)}{times}."


def _why_before(situation: Situation) -> str:
    return f"Of that one: {situation.why_before}" if situation.why_before else ""


def _limits(environments: Sequence[Environment]) -> list[Facts]:
    return [{"name": shown(e.name), "limit": e.limit, "used": e.used} for e in environments]


def _share_facts(standing: Standing) -> Facts:
    return {
        "shareIdentifier": standing.share_identifier,
        "weightFactor": standing.weight,
        "usedVcpuSeconds": standing.used,
        "pledgedVcpuSeconds": standing.pledged,
        "weighted": standing.weighted,
        "vcpus": standing.vcpus,
    }


def _share_words(standing: Standing) -> str:
    return (
        f"Share {standing.share_identifier}: {standing.weighted:,.1f} weighted, weightFactor {standing.weight:g}, "
        f"{standing.used:,.1f} vCPU-seconds used, {counted(standing.vcpus, 'vCPU')} held now."
    )
