"""Nothing runs before what it depends on has SUCCEEDED; what depends on a failure never runs and says so.

Judged by the requests and the processes alone: partner by partner, without intervals or edges.
"""

from collections.abc import Iterator

from batchyard.core.jobs import Job, JobStatus
from tests.simulation.ledger import Run
from tests.simulation.workload import Submitted
from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """At the end."""
    if not world.is_settled:
        return
    jobs = {job.job_id: job for job in world.client.submitted}
    runs = world.ledger.by_job()
    for submitted in jobs.values():
        for index, name in enumerate(submitted.names()):
            for partner in _partners(jobs, submitted, index):
                yield from _check_pair(world, name, world.job(name), runs.get(name, []), world.job(partner))


def _partners(jobs: dict[str, Submitted], submitted: Submitted, index: int) -> Iterator[str]:
    """The jobs and children that must succeed before this one may run."""
    for entry in submitted.request.get("dependsOn", ()):
        target = entry.get("jobId")
        if entry.get("type") == "SEQUENTIAL":
            if index > 0:
                yield f"{submitted.job_id}:{index - 1}"
        elif entry.get("type") == "N_TO_N":
            yield f"{target}:{index}"
        elif target in jobs:
            yield from jobs[target].names()
        else:
            yield target


def _check_pair(world: World, name: str, job: Job, runs: list[Run], partner: Job) -> Iterator[str]:
    if partner.status is JobStatus.SUCCEEDED:
        assert partner.stopped_at is not None
        if runs and runs[0].started_at < partner.stopped_at:
            yield f"{name} ran before {partner.key} had SUCCEEDED"
        return
    if runs or world.attempts(name) or job.status is not JobStatus.FAILED:
        yield f"{name} is {job.status} with {len(runs)} runs, and {partner.key} {partner.status}"
    was_ended = job.is_cancelled or job.is_terminated or job.status_reason == "JobQueue deleted"
    if not was_ended and job.status_reason != "Dependent Job failed":
        yield f"{name} FAILED for {job.status_reason!r}, and {partner.key} {partner.status}"
