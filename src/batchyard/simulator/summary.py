"""A replay in numbers: of the whole, of each queue and of each share."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from math import ceil

import msgspec

from batchyard.simulator.fairness import Comparison, comparisons
from batchyard.simulator.fairness import finding as fairness_finding
from batchyard.simulator.properties import Finding, check
from batchyard.simulator.record import Record, Run

_BOUND_SECONDS = 10.0
"""Jobs shorter than this count as this long in their slowdown, or the shortest would decide it."""


class Waits(msgspec.Struct, frozen=True, rename="camel"):
    """Of some jobs. Times in seconds. mean_bounded_slowdown: of (wait + run) / max(run, 10 s), at least 1.
    share_identifier: None for a whole queue. share_error: the greatest distance of the share's part of vCPU-time from
    what its weight says, where it could be compared."""

    queue: str
    share_identifier: str | None
    jobs: int
    vcpu_seconds: float
    mean_wait: float
    p95_wait: float
    longest_wait: float
    mean_bounded_slowdown: float
    weight: float | None = None
    share_error: float | None = None


class Summary(msgspec.Struct, frozen=True, rename="camel"):
    """utilization: the part of the machine's vCPU-time, from the first submission to the last end, that was used;
    makespan_seconds: between the two."""

    yard: str
    jobs: int
    misfits: int
    plans: int
    utilization: float
    makespan_seconds: float
    waits: Sequence[Waits]
    findings: Sequence[Finding]

    @property
    def holds(self) -> bool:
        """Whether no property was violated."""
        return all(finding.holds for finding in self.findings)


def summary(record: Record) -> Summary:
    """The numbers of a replay, with every property checked."""
    compared = list(comparisons(record))
    makespan = (record.ends_at - record.begins_at) / 1000
    capacity = makespan * record.yard.machine.vcpus
    return Summary(
        yard=record.yard.name,
        jobs=len(record.runs),
        misfits=len(record.misfits),
        plans=record.plans,
        utilization=sum(run.vcpu_seconds for run in record.runs) / capacity if capacity else 0.0,
        makespan_seconds=makespan,
        waits=_waits(record, compared),
        findings=[*check(record), fairness_finding(compared)],
    )


def _waits(record: Record, compared: Iterable[Comparison]) -> list[Waits]:
    errors: dict[tuple[str, str], float] = {}
    for one in compared:
        for share in one.shares:
            errors[one.queue, share] = max(one.error, errors.get((one.queue, share), 0.0))
    runs: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in record.runs:
        runs[run.queue, run.share_identifier].append(run)
    found = []
    for queue in record.yard.queues:
        shares = sorted((share for name, share in runs if name == queue.name), key=lambda share: (len(share), share))
        if shares:
            found.append(_waits_of(queue.name, None, [run for share in shares for run in runs[queue.name, share]]))
        for share in shares:
            weight = None if queue.policy is None else queue.policy.weight(share)
            error = errors.get((queue.name, share))
            found.append(_waits_of(queue.name, share, runs[queue.name, share], weight, error))
    return found


def _waits_of(
    queue: str, share: str | None, runs: Sequence[Run], weight: float | None = None, error: float | None = None
) -> Waits:
    waits = sorted(run.waited_millis / 1000 for run in runs)
    return Waits(
        queue=queue,
        share_identifier=share,
        jobs=len(runs),
        vcpu_seconds=sum(run.vcpu_seconds for run in runs),
        mean_wait=sum(waits) / len(waits),
        p95_wait=waits[ceil(0.95 * len(waits)) - 1],
        longest_wait=waits[-1],
        mean_bounded_slowdown=sum(map(_bounded_slowdown, runs)) / len(runs),
        weight=weight,
        share_error=error,
    )


def _bounded_slowdown(run: Run) -> float:
    waited, ran = run.waited_millis / 1000, run.ran_millis / 1000
    return max(1.0, (waited + ran) / max(ran, _BOUND_SECONDS))
