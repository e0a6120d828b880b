"""The queues of a replay: who waits, what runs and what shares have used, as the engine has it in rows."""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from batchyard.core import fair_share
from batchyard.core.fair_share import FairSharePolicy, Held, Standing, Usage
from batchyard.core.ids import JobSeq, Millis
from batchyard.core.placement import Candidate, FairHeads, QueueHeads, Room
from batchyard.engine.pace import Pace
from batchyard.simulator.yard import SimulatedQueue


@dataclass(frozen=True, slots=True)
class SimulatedJob:
    """A submitted job. number: its number in the trace. definition_id: jobs of one definition are taken to last about
    as long as each other."""

    seq: JobSeq
    number: int
    queue: str
    share_identifier: str
    need: Room
    submitted_at: Millis
    run_millis: int
    definition_id: int


class QueueState:
    """One queue. `most_vcpus`: what it may hold in all."""

    def __init__(self, setting: SimulatedQueue, most_vcpus: float) -> None:
        self.setting = setting
        self._most_vcpus = most_vcpus
        self._lines: dict[str, OrderedDict[JobSeq, SimulatedJob]] = defaultdict(OrderedDict)
        self._usages: dict[str, Usage] = {}
        self._running: dict[JobSeq, tuple[SimulatedJob, Millis]] = {}
        self._live: Counter[str] = Counter()

    def submit(self, job: SimulatedJob) -> None:
        """A job joins the end of its line."""
        self._lines[self.setting.line(job.share_identifier)][job.seq] = job
        self._live[job.share_identifier] += 1

    def start(self, job: SimulatedJob, now: Millis) -> None:
        """A job leaves its line and runs."""
        self._leave(job)
        self._running[job.seq] = job, now

    def end(self, job: SimulatedJob, now: Millis) -> None:
        """A job ends, and what it used is charged to its share."""
        _, started_at = self._running.pop(job.seq)
        self._live -= Counter((job.share_identifier,))
        policy = self.setting.policy
        if policy is not None:
            before = fair_share.faded(self._usages.get(job.share_identifier), policy, now)
            used = fair_share.ran(job.need.vcpus, started_at, now, policy, now)
            self._usages[job.share_identifier] = Usage(before + used, now)

    def drop(self, job: SimulatedJob) -> None:
        """A job leaves its line for ever."""
        self._leave(job)
        self._live -= Counter((job.share_identifier,))

    def waiting(self) -> Iterator[SimulatedJob]:
        """Every job that waits."""
        for line in self._lines.values():
            yield from line.values()

    def heads(self, pace: Pace, now: Millis) -> QueueHeads | None:
        """What a plan is shown of this queue; None if nothing waits."""
        if not self._lines:
            return None
        setting, policy = self.setting, self.setting.policy
        held_vcpus = sum(job.need.vcpus for job, _ in self._running.values())
        oldest = min(next(iter(line)) for line in self._lines.values())
        heads = QueueHeads(setting.priority, setting.environments, (), held_vcpus=held_vcpus, oldest=oldest)
        if policy is None:
            return replace(heads, candidates=map(_candidate, self.waiting()))
        held = [
            Held(job.share_identifier, job.need.vcpus, started_at, pace.expected_seconds(job.definition_id))
            for job, started_at in self._running.values()
        ]
        lines = self._shares(policy, held, pace, now)
        fair = FairHeads(lines)
        if policy.compute_reservation:
            active = fair_share.active_shares(policy, self._live, self._usages, now)
            unreserved = 1 - fair_share.reserved_ratio(policy, len(active))
            fair = FairHeads(lines, self._most_vcpus * unreserved, sum(one.vcpus for one in held))
        return replace(heads, fair=fair)

    def _shares(
        self, policy: FairSharePolicy, held: list[Held], pace: Pace, now: Millis
    ) -> Iterator[tuple[Standing, Iterable[Candidate]]]:
        found = fair_share.standings(policy, self._lines, self._usages, held, now)
        for share, standing in found.items():
            yield standing, self._candidates(share, policy, pace)

    def _candidates(self, share: str, policy: FairSharePolicy, pace: Pace) -> Iterator[Candidate]:
        for job in self._lines[share].values():
            expected = pace.expected_seconds(job.definition_id)
            yield Candidate(job.seq, job.need, charge=fair_share.pledged(policy, job.need.vcpus, expected))

    def _leave(self, job: SimulatedJob) -> None:
        name = self.setting.line(job.share_identifier)
        del self._lines[name][job.seq]
        if not self._lines[name]:
            del self._lines[name]


def _candidate(job: SimulatedJob) -> Candidate:
    return Candidate(job.seq, job.need)
