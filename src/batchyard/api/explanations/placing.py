"""Why a RUNNABLE job has not been placed: the plan of this moment, and who holds what it lacks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from batchyard.api.explanations.mentions import Mentions
from batchyard.core.explanations import Cause, Explanation, verdicts, waiting
from batchyard.core.explanations.verdicts import Place, Verdict, Waiting
from batchyard.core.explanations.waiting import POSITIONS_MAX, Holder, OpenState, Position, Situation
from batchyard.core.fair_share import Standing
from batchyard.core.ids import JobSeq
from batchyard.core.intervals import Indexes
from batchyard.core.jobs import Attempt, JobKey, JobStatus
from batchyard.core.placement import Candidate, Room, Snapshot
from batchyard.core.resources import CREATING, DELETING, INVALID, VALID, JobQueue
from batchyard.engine.outlook import Foresight
from batchyard.store.jobs import JobRow

if TYPE_CHECKING:
    from batchyard.api.context import Context

_HOLDERS_MAX = 10
_CLOSED = (CREATING, DELETING, INVALID)
_HELD = (Cause.MACHINE_FULL, Cause.COMPUTE_ENVIRONMENT_FULL, Cause.OTHER_QUEUE_FIRST, Cause.BEHIND_IN_QUEUE)


@dataclass(frozen=True)
class Placing:
    """Explains jobs of one snapshot to one caller."""

    context: "Context"
    foresight: Foresight
    mentions: Mentions

    @cached_property
    def _view(self) -> Snapshot:
        """The moment after the plan."""
        foresight = self.foresight
        return verdicts.settled(foresight.view, foresight.plan, lambda seq: self._candidate(foresight.row(seq)))

    def explain(self, row: JobRow, key: JobKey) -> Explanation:
        """Why a job, or a child of an array, that is RUNNABLE has not been placed."""
        queue = self.foresight.yard.queues.get(row.queue_id)
        if queue is None or queue.status in _CLOSED:
            status = "gone" if queue is None else queue.status
            return Explanation(Cause.QUEUE_NOT_VALID, f"Its queue is {status}: nothing is placed from it.")
        judged = self._waiting(row, queue)
        verdict = verdicts.judge(judged, row.job.status_reason)
        found = waiting.explain(judged, verdict, self._situation(row, key, queue, judged, verdict))
        blocked = self.context.tx.blocked_jobs.get(row.seq)
        return found if blocked is None else waiting.blocked(found, blocked, self.context.now)

    def _waiting(self, row: JobRow, queue: JobQueue) -> Waiting:
        view, plan = self._view, self.foresight.plan
        heads = next((each for each in view.queues if each.queue_id == queue.id), None)
        names = self.foresight.yard.names_of(queue)
        place = Place(row.queue_id, row.share_identifier)
        return Waiting(self._candidate(row), place, names, view, plan, heads, self._place_of)

    def _place_of(self, seq: JobSeq) -> Place:
        row = self.foresight.row(seq)
        return Place(row.queue_id, row.share_identifier)

    def _candidate(self, row: JobRow) -> Candidate:
        tx = self.context.tx
        consumes = tx.consumable_resources.needs([row.seq])[row.seq] if row.consumes else ()
        service = tx.jobs.terms(row.seq).service if row.is_service_job else None
        kind = None if service is None else service.training.instance_type
        priority = row.scheduling_priority or 0
        return Candidate(row.seq, row.need, row.available, 0, consumes, kind, 0.0, priority)

    # ------------------------------------------------------------------------------------------ what else is said

    def _situation(self, row: JobRow, key: JobKey, queue: JobQueue, judged: Waiting, verdict: Verdict) -> Situation:
        before = None if verdict.before is None else self.foresight.row(verdict.before)
        holders = self._holders(row, queue, judged, verdict)
        return Situation(
            queue=queue,
            position=self._position(row, key),
            before=None if before is None else self.mentions.of(before, with_status=False),
            why_before="" if before is None else self._why(before),
            holders=holders[:_HOLDERS_MAX],
            others=max(0, len(holders) - _HOLDERS_MAX),
            states=self._states(verdict.environments),
            shares=self._shares(judged) if verdict.cause is Cause.FAIR_SHARE else (),
            reservation=self._reservation(judged),
            quota=self._quota(judged) if verdict.cause is Cause.QUOTA_SHARE_LIMIT else None,
            at_work=_at_work(row),
        )

    def _why(self, row: JobRow) -> str:
        """What the job that goes first waits for; it says so itself to who may ask."""
        if self.mentions.of(row, with_status=False).job_id is None:
            return ""
        queue = self.foresight.yard.queues[row.queue_id]
        judged = self._waiting(row, queue)
        verdict = verdicts.judge(judged, row.job.status_reason)
        if verdict.before is not None:
            return ""
        holders = self._holders(row, queue, judged, verdict)
        situation = Situation(queue, Position(0), holders=holders, reservation=self._reservation(judged))
        return waiting.explain(judged, verdict, situation).sentence

    def _position(self, row: JobRow, key: JobKey) -> Position:
        fronts = self.context.tx.queue_fronts
        children = 0 if key.array_index is None else _children_before(row, key.array_index)
        if row.share_identifier is None:
            return Position(fronts.ahead(row.queue_id, row.seq, POSITIONS_MAX + 1), children)
        priority = row.scheduling_priority or 0
        ahead = fronts.ahead_in_share(row.queue_id, row.share_identifier, priority, row.seq, POSITIONS_MAX + 1)
        return Position(ahead, children)

    def _states(self, names: Iterable[str]) -> dict[str, OpenState]:
        yard = self.foresight.yard
        found: dict[str, OpenState] = {}
        for name in names:
            environment = yard.environments.get(name)
            if environment is not None:
                found[name] = OpenState(environment.state, environment.status, environment.status_reason)
            elif (record := yard.service_environments.get(waiting.shown(name).partition("/")[0])) is not None:
                found[name] = OpenState(record.document["state"], VALID, "")
        return found

    def _shares(self, judged: Waiting) -> list[Standing]:
        """Those that have something to place, the one whose turn it is first."""
        fair = None if judged.heads is None else judged.heads.fair
        if fair is None:
            return []
        lines = [(standing, next(iter(heads), None)) for standing, heads in fair.lines]
        ordered = sorted(lines, key=lambda line: (line[0].weighted, 0 if line[1] is None else line[1].seq))
        return [standing for standing, _ in ordered]

    def _reservation(self, judged: Waiting) -> tuple[float, float] | None:
        fair = None if judged.heads is None else judged.heads.fair
        return None if fair is None else (fair.used, fair.unreserved)

    def _quota(self, judged: Waiting) -> dict[str, object]:
        quota = None if judged.heads is None else judged.heads.quota
        name, kind = judged.place.share or "", judged.candidate.instance_type or ""
        share = None if quota is None else next((each for each in quota.shares if each.name == name), None)
        if quota is None or share is None:
            return {"quotaShareName": name, "state": "DELETED"}
        state = "ENABLED" if share.is_open else "DISABLED"
        unit = share.unit(kind)
        used = sum(n for (who, each), n in quota.used.items() if who == name and share.unit(each) == unit)
        limit = share.limits.get(unit, 0)
        return {"quotaShareName": name, "state": state, "capacityUnit": unit, "limit": limit, "used": used}

    # ------------------------------------------------------------------------------------------ who holds it

    def _holders(self, row: JobRow, queue: JobQueue, judged: Waiting, verdict: Verdict) -> list[Holder]:
        """Of what the job lacks, the most first."""
        active = self.foresight.active
        if verdict.cause is Cause.CONSUMABLE_RESOURCE:
            return self._consumers(verdict.resource or "")
        if verdict.cause in (Cause.RESERVATION, Cause.FAIR_SHARE):
            return self._grouped(active, lambda each: each.queue_id == queue.id)
        if verdict.cause is Cause.QUOTA_SHARE_LIMIT:
            share = row.share_identifier
            return self._grouped(active, lambda each: each.queue_id == queue.id and each.share_identifier == share)
        if verdict.cause not in _HELD:
            return []
        if verdict.cause is Cause.COMPUTE_ENVIRONMENT_FULL:
            active = [each for each in active if each.compute_environment in verdict.environments]
        elif not judged.view.free.gpus and row.need.gpus:
            active = [each for each in active if each.gpus]
        return self._grouped(active, lambda _: True)

    def _consumers(self, resource: str) -> list[Holder]:
        active = self.foresight.active
        seqs = sorted({each.key.seq for each in active})
        needs = self.context.tx.consumable_resources.needs(seqs) if seqs else {}
        quantity = {seq: dict(needed).get(resource, 0) for seq, needed in needs.items()}
        found = self._grouped([each for each in active if quantity[each.key.seq]], lambda _: True, quantity)
        return sorted(found, key=lambda holder: -(holder.quantity or 0))

    def _grouped(
        self, active: Iterable[Attempt], is_meant: Callable[[JobRow], bool], quantity: dict[JobSeq, int] | None = None
    ) -> list[Holder]:
        """The attempts of one job in one compute environment together."""
        groups: dict[tuple[JobSeq, str], list[Attempt]] = {}
        active = list(active)
        self.foresight.changes.preload(JobKey(each.key.seq) for each in active)
        for each in active:
            groups.setdefault((each.key.seq, each.compute_environment), []).append(each)
        found = []
        for (seq, name), attempts in groups.items():
            row = self.foresight.row(seq)
            if not is_meant(row):
                continue
            room = Room(
                sum(a.vcpus for a in attempts), sum(a.memory_mib for a in attempts), sum(a.gpus for a in attempts)
            )
            index = attempts[0].key.array_index if len(attempts) == 1 else None
            mention = self.mentions.of(row, index, with_status=False)
            taken = None if quantity is None else quantity[seq] * len(attempts)
            found.append(Holder(mention, name, room, len(attempts), taken))
        return sorted(found, key=lambda h: (-h.room.vcpus, -h.room.memory_mib, h.job.job_id or ""))


def _at_work(row: JobRow) -> tuple[int, int] | None:
    """Of an array with a limit: how many children are STARTING or RUNNING, and how many may be at once."""
    children = row.children
    if children is None or children.max_parallel is None:
        return None
    return children.count(JobStatus.STARTING) + children.count(JobStatus.RUNNING), children.max_parallel


def _children_before(row: JobRow, index: int) -> int:
    """How many RUNNABLE children of an array are placed before this one: those that run again, then by index."""
    assert row.children is not None
    waiting_children = row.children.waiting(JobStatus.RUNNABLE)
    again = row.children.count(JobStatus.RUNNABLE) - len(waiting_children)
    if index not in waiting_children:
        return 0
    return again + len(waiting_children & Indexes.span(0, index - 1))
