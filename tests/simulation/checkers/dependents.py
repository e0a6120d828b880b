"""Nothing runs before what it depends on has SUCCEEDED; what depends on a failure never runs and says so. With the tag
`batchyard:after`, nothing runs before its plain dependencies have ended, and it runs or not as it says there.

Judged by the requests and the processes alone: partner by partner, without intervals or edges.
"""

from collections.abc import Iterator

from batchyard.core import reasons
from batchyard.core.batchyard_tags import AFTER
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
        when = submitted.request.get("tags", {}).get(AFTER, "success")
        targets = [world.job(each["jobId"]) for each in submitted.request.get("dependsOn", ()) if "type" not in each]
        for index, name in enumerate(submitted.names()):
            if when != "success":
                yield from _check_after(world, name, runs.get(name, []), targets, when)
            for partner in _partners(jobs, submitted, index):
                yield from _check_pair(world, name, world.job(name), runs.get(name, []), world.job(partner))


def _partners(jobs: dict[str, Submitted], submitted: Submitted, index: int) -> Iterator[str]:
    """The jobs and children that must succeed before this one may run."""
    waits_for_success = submitted.request.get("tags", {}).get(AFTER, "success") == "success"
    for entry in submitted.request.get("dependsOn", ()):
        if "type" not in entry and not waits_for_success:
            continue
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


def _check_after(world: World, name: str, runs: list[Run], targets: list[Job], when: str) -> Iterator[str]:
    if any(runs and (target.stopped_at is None or runs[0].started_at < target.stopped_at) for target in targets):
        yield f"{name} ran before {targets} had ended"
    is_spared = when == "failure" and all(target.status is JobStatus.SUCCEEDED for target in targets)
    job = world.job(name)
    if is_spared and (runs or job.status is not JobStatus.FAILED):
        yield f"{name} is {job.status} with {len(runs)} runs, and none of {targets} FAILED"
    if job.status_reason == reasons.NO_DEPENDENT_JOB_FAILED and not is_spared:
        yield f"{name} was not to run {when} of {targets}"


def _check_pair(world: World, name: str, job: Job, runs: list[Run], partner: Job) -> Iterator[str]:
    if partner.status is JobStatus.SUCCEEDED:
        assert partner.stopped_at is not None
        if runs and runs[0].started_at < partner.stopped_at:
            yield f"{name} ran before {partner.key} had SUCCEEDED"
        return
    if runs or world.attempts(name) or job.status is not JobStatus.FAILED:
        yield f"{name} is {job.status} with {len(runs)} runs, and {partner.key} {partner.status}"
    was_ended = job.is_cancelled or job.is_terminated or job.status_reason == "JobQueue deleted"
    other_ends = ("Dependent Job failed", reasons.NO_DEPENDENT_JOB_FAILED)
    if not was_ended and job.status_reason not in other_ends:
        yield f"{name} FAILED for {job.status_reason!r}, and {partner.key} {partner.status}"
