"""`batchyard retry`: what failed is submitted once more."""

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from batchyard.cli.options import EndpointUrl, JobReference, Output, OutputForm, Queue
from batchyard.cli.problem import CommandProblem

if TYPE_CHECKING:
    from batchyard.cli.connection import Connection
    from batchyard.cli.jobs import Job
    from batchyard.core.chosen_indexes import ChosenIndexes

_TEXT_CHARACTERS_MAX = 4000
"""Of one array's chosen indexes: a SubmitJob holds 30 KiB, its overrides 8192 characters."""

_KEPT_MEMBERS = ("jobName", "jobQueue", "jobDefinition", "parameters", "retryStrategy", "timeout", "shareIdentifier")


def retry(
    job: JobReference, queue: Queue = "default", endpoint_url: EndpointUrl = None, output: Output = OutputForm.TABLE
) -> None:
    """Run again what failed.

    Submits a failed job again, or the failed children of an array as a new array, and prints the new job's id.
    Children of the new array find the indexes of those they stand for in AWS_BATCH_JOB_ARRAY_INDEX. AWS itself cannot
    run chosen children, so there only single jobs can be retried. Dependencies are not waited for again.
    """
    from batchyard.cli import jobs, screen
    from batchyard.cli.connection import connect

    connection = connect(endpoint_url)
    found = jobs.find_job(connection, queue, job)
    if not jobs.is_array(found) and found["status"] != "FAILED":
        raise CommandProblem(f"{job} is {found['status']}; only what FAILED can be retried.")
    requests = [resubmission(found, chosen) for chosen in _chosen(connection, found, job)]
    answers = [connection.batch.submit_job(**request) for request in requests]
    if output is OutputForm.JSON:
        screen.print_json({"jobs": [{n: v for n, v in a.items() if n != "ResponseMetadata"} for a in answers]})
        return
    for answer in answers:
        print(answer["jobId"])


def resubmission(job: "Job", chosen: "ChosenIndexes | None" = None) -> dict[str, Any]:
    """The SubmitJob request that runs a job again as it ran, or these children of its array. Raises CommandProblem."""
    from batchyard.core.chosen_indexes import VARIABLE

    if "container" not in job or job.get("ecsProperties") or job.get("eksProperties") or job.get("nodeProperties"):
        raise CommandProblem("Only jobs with containerProperties can be retried; submit this one as it was submitted.")
    request = {member: job[member] for member in _KEPT_MEMBERS if job.get(member)}
    overrides = _overrides(job["container"])
    if chosen is not None:
        others = [variable for variable in overrides.get("environment", []) if variable["name"] != VARIABLE]
        overrides["environment"] = [*others, {"name": VARIABLE, "value": str(chosen)}]
        if len(chosen.indexes) > 1:
            request["arrayProperties"] = {"size": len(chosen.indexes)}
            request["dependsOn"] = [{"type": "SEQUENTIAL"}] if _is_sequential(job) else []
    request["containerOverrides"] = overrides
    request["tags"] = _tags(job, request)
    if "schedulingPriority" in job and "shareIdentifier" in job:
        request["schedulingPriorityOverride"] = job["schedulingPriority"]
    return request


def _tags(job: "Job", request: dict[str, Any]) -> dict[str, str]:
    """Those of the job, less what would have no meaning: nothing is waited for, and one child is no array."""
    from batchyard.core.batchyard_tags import AFTER, MAX_PARALLEL, RETRY_OF

    tags = {key: value for key, value in job.get("tags", {}).items() if key != AFTER}
    if "arrayProperties" not in request:
        tags.pop(MAX_PARALLEL, None)
    return {**tags, RETRY_OF: job["jobId"]}


def _overrides(container: dict[str, Any]) -> dict[str, Any]:
    """What a container ran with, as overrides; a name that begins with AWS_BATCH may not be submitted."""
    found = {
        "command": container.get("command"),
        "environment": [v for v in container.get("environment", []) if not v["name"].startswith("AWS_BATCH")],
        "resourceRequirements": container.get("resourceRequirements"),
    }
    if not found["resourceRequirements"]:
        found |= {"vcpus": container.get("vcpus"), "memory": container.get("memory")}
    return {name: value for name, value in found.items() if value}


def _is_sequential(job: "Job") -> bool:
    return any(entry.get("type") == "SEQUENTIAL" and not entry.get("jobId") for entry in job.get("dependsOn", []))


# ------------------------------------------------------------------------------------------------------------- children


def _chosen(connection: "Connection", job: "Job", reference: str) -> "list[ChosenIndexes | None]":
    """The failed children, in as many portions as one request can name; one None for a job that is not of an array."""
    from batchyard.cli.jobs import describe, is_array, list_jobs

    properties = job.get("arrayProperties", {})
    if not properties:
        return [None]
    if connection.is_aws:
        raise CommandProblem("AWS Batch runs whole arrays only; a Batchyard can run the failed children alone.")
    if is_array(job):
        children = list_jobs(connection, arrayJobId=job["jobId"], jobStatus="FAILED")
        failed, size = [child["arrayProperties"]["index"] for child in children], properties["size"]
    else:
        parent_id = job["jobId"].rpartition(":")[0]
        failed = [properties["index"]]
        size = describe(connection, [parent_id])[parent_id]["arrayProperties"]["size"]
    if not failed:
        raise CommandProblem(f"{reference} has no failed children.")
    portions = list(_portions(_original(job, failed), _original_size(job, size)))
    what = "child" if len(failed) == 1 else f"{len(failed):,} children"
    print(f"batchyard: retrying {what}: {', '.join(str(portion.indexes) for portion in portions)}", file=sys.stderr)
    return list(portions)


def _standing_for(job: "Job") -> "ChosenIndexes | None":
    """Whom the children of this array stand for, if it is itself a retry."""
    from batchyard.core.chosen_indexes import VARIABLE, chosen_indexes

    variables = {item["name"]: item.get("value", "") for item in job.get("container", {}).get("environment", [])}
    return chosen_indexes(variables.get(VARIABLE, ""))


def _original(job: "Job", failed: Iterable[int]) -> list[int]:
    standing_for = _standing_for(job)
    return sorted(failed if standing_for is None else (standing_for.at(index) for index in failed))


def _original_size(job: "Job", size: int) -> int:
    standing_for = _standing_for(job)
    return size if standing_for is None else standing_for.size


def _portions(failed: list[int], size: int) -> "Iterator[ChosenIndexes]":
    from batchyard.core.chosen_indexes import ChosenIndexes
    from batchyard.core.intervals import Indexes

    spans: list[tuple[int, int]] = []
    characters = 0
    for span in Indexes.of(failed).spans:
        length = len(f"{span[0]}-{span[1]},")
        if spans and characters + length > _TEXT_CHARACTERS_MAX:
            yield ChosenIndexes(Indexes.of_spans(spans), size)
            spans, characters = [], 0
        spans.append(span)
        characters += length
    yield ChosenIndexes(Indexes.of_spans(spans), size)
