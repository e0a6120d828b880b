"""When the faults have stopped, everything comes to its end and nothing is left over."""

from collections.abc import Iterator

from batchyard.core.jobs import JobStatus
from tests.simulation.world import World


def check(world: World) -> Iterator[str]:
    """At the end."""
    if not world.is_settled:
        return
    records = world.records
    yield from (f"{job} never ends" for job in records.jobs.values() if not job.status.is_terminal)
    if not world.supervisor.is_idle or world.supervisor.journal.live:
        yield f"the supervisor still holds {list(world.supervisor.journal.live)}"
    attempts = {attempt.attempt_id: attempt for made in records.attempts.values() for attempt in made}
    for run in world.ledger.runs:
        if run.attempt_id not in attempts:
            yield f"attempt {run.attempt_id} of {run.job_id} ran, and no row knows it"
    streams = {(attempt.log_group, attempt.log_stream) for attempt in attempts.values()}
    if len(streams) != len(attempts):
        yield "two attempts share a log stream"
    yield from _check_answers(world)
    yield from _check_service_jobs(world)


def _check_service_jobs(world: World) -> Iterator[str]:
    """What service jobs say at the end: each attempt with its reason, as often as it was to be tried at most."""
    assert world.server is not None
    for job in world.client.services:
        detail = world.server.read("DescribeServiceJob", {"jobId": job.job_id})
        reasons = [attempt["statusReason"] for attempt in detail["attempts"]]
        most = detail["retryStrategy"]["attempts"] + detail.get("preemptionSummary", {}).get("preemptedAttemptCount", 0)
        if detail["status"] not in ("SUCCEEDED", "FAILED") or len(reasons) > most:
            yield f"{job.job_id} ended as {detail}"
        if (detail["status"] == "SUCCEEDED") != (
            reasons[-1:] == ["Received status from SageMaker: Training job completed"]
        ):
            yield f"{job.job_id} is {detail['status']} by {reasons}"
        if world.server.read("DescribeJobs", {"jobs": [job.job_id]})["jobs"]:
            yield f"DescribeJobs shows service job {job.job_id}"


def _check_answers(world: World) -> Iterator[str]:
    """What clients see at the end: every job and child, with a summary that adds up."""
    assert world.server is not None
    for job in world.client.submitted:
        names = [job.job_id, *(job.names() if job.size else ())]
        found = world.server.read("DescribeJobs", {"jobs": names})["jobs"]
        if [detail["jobId"] for detail in found] != names:
            yield f"DescribeJobs answers {[detail['jobId'] for detail in found]} for {names}"
        if job.size is not None:
            summary = found[0]["arrayProperties"]["statusSummary"]
            counted = {str(status): 0 for status in JobStatus}
            for detail in found[1:]:
                counted[detail["status"]] += 1
            if summary != counted:
                yield f"{job.job_id} says {summary} of its children, which are {counted}"
