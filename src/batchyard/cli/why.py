"""`batchyard why`: why a job waits, or how it came to its end."""

import json
from typing import TYPE_CHECKING, Any

from batchyard.cli.options import EndpointUrl, JobReference, Output, OutputForm, Queue
from batchyard.cli.problem import CommandProblem

if TYPE_CHECKING:
    from batchyard.cli.connection import Connection
    from batchyard.cli.jobs import Job
    from batchyard.cli.queue_load import QueueLoad

SIGNAL_EXIT = 128
"""A shell's way to say that a signal ended a command: 128 and its number."""

_PATIENCE_SECONDS = 30.0
_NAMED_MAX = 5
"""Of equal things, so many are named and the rest are counted."""


def why(
    job: JobReference, queue: Queue = "default", endpoint_url: EndpointUrl = None, output: Output = OutputForm.TABLE
) -> None:
    """Say why a job waits, or why it failed.

    A job waits for jobs that it depends on, for those before it in its queue, or for who holds the capacity. A
    Batchyard is asked for its own explanation, in which the scheduler has its say; of AWS, what the API tells is put
    together.
    """
    from batchyard.cli import screen
    from batchyard.cli.connection import connect
    from batchyard.cli.jobs import find_job, job_id_of

    connection = connect(endpoint_url)
    told = None if connection.is_aws else _told_by_server(connection, job_id_of(connection, queue, job))
    if told is None:
        found = find_job(connection, queue, job)
        told = {"jobId": found["jobId"], "jobName": found["jobName"], "status": found["status"]}
        told["why"] = explain(connection, found)
    else:
        told["why"] = [told["sentence"], *told["details"]]
        if told["cause"] == "FAILED":
            told["why"] += _of_several_containers(connection, told["jobId"])
        if "logStreamName" in told["facts"]:
            told["why"].append(f"What it wrote: `batchyard logs {told['jobId']}`.")
    if output is OutputForm.JSON:
        screen.print_json(told)
        return
    console = screen.console()
    console.print(screen.status_text(told["status"]), f" {told['jobName']}  {told['jobId']}", sep="", markup=False)
    for sentence in told["why"]:
        console.print("  " + screen.plain(sentence).plain, markup=False)


def _of_several_containers(connection: "Connection", job_id: str) -> list[str]:
    """Which containers of a task, a pod or nodes made it fail; of others the page has said all."""
    from batchyard.cli.jobs import describe

    return [
        words for job in describe(connection, [job_id]).values() if "container" not in job for words in _culprits(job)
    ]


def _told_by_server(connection: "Connection", job_id: str) -> dict[str, Any] | None:
    """What `GET /why` answers; None of a server that has no such page, or knows no such job. Raises CommandProblem with
    the words of one that does not tell this caller."""
    from batchyard.cli import pages

    answer = pages.get(connection, f"/why/{job_id}", seconds=_PATIENCE_SECONDS)
    try:
        found: Any = json.loads(answer.content)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    if answer.status_code == 200 and {"sentence", "details", "cause", "facts", "status"} <= found.keys():
        return found
    if answer.status_code in (401, 403):
        raise CommandProblem(str(found.get("message", "The server does not say.")))
    return None


def explain(connection: "Connection", job: "Job") -> list[str]:
    """What there is to say about where a job is, from what the API knows, the weightiest first."""
    from batchyard.cli.jobs import is_array

    match job["status"]:
        case "SUCCEEDED":
            return ["It does not wait: it succeeded."]
        case "FAILED":
            return _why_failed(connection, job)
        case "RUNNING":
            return _why_running(job)
        case "STARTING":
            return ["It has been placed and is being started: it waits for its container or process."]
        case "RUNNABLE":
            return _why_runnable(connection, job)
    open_dependencies = _open_dependencies(connection, job)
    if not open_dependencies and is_array(job):
        return _why_children_wait(connection, job)
    return open_dependencies or ["It has just been submitted; its dependencies are being looked at."]


# --------------------------------------------------------------------------------------------------------- dependencies


def _open_dependencies(connection: "Connection", job: "Job") -> list[str]:
    """A sentence for each job that has to succeed first."""
    from batchyard.cli.jobs import describe

    index = job.get("arrayProperties", {}).get("index")
    wanted: dict[str, str] = {}
    for entry in job.get("dependsOn", []):
        kind, job_id = entry.get("type"), entry.get("jobId")
        if kind == "SEQUENTIAL" and job_id is None:
            if index:
                wanted[f"{job['jobId'].rpartition(':')[0]}:{index - 1}"] = "the child before it (SEQUENTIAL)"
        elif kind == "N_TO_N" and index is not None:
            wanted[f"{job_id}:{index}"] = "the child of the same index (N_TO_N)"
        else:
            wanted[job_id] = ""
    found = describe(connection, wanted)
    return [
        f"It depends on {_called(found[job_id])}{', ' + words if words else ''}, which is {found[job_id]['status']}."
        for job_id, words in wanted.items()
        if job_id in found and found[job_id]["status"] != "SUCCEEDED"
    ]


def _why_children_wait(connection: "Connection", job: "Job") -> list[str]:
    """An array's parent is PENDING while its children are at work; one of those that wait speaks for the others."""
    from batchyard.cli.jobs import children_by_status, describe, list_jobs

    counts = children_by_status(job)
    summary = ", ".join(f"{count:,} {status}" for status, count in counts.items() if count)
    sentences = [f"An array is PENDING until its last child has ended. Its children: {summary or 'none yet'}."]
    for status in ("RUNNABLE", "PENDING", "SUBMITTED"):
        if not counts[status]:
            continue
        for child in list_jobs(connection, 1, arrayJobId=job["jobId"], jobStatus=status):
            for detail in describe(connection, [child["jobId"]]).values():
                sentences.append(f"Child {child['arrayProperties']['index']} is {detail['status']}:")
                sentences += [f"  {sentence}" for sentence in explain(connection, detail)]
        break
    return sentences


# ------------------------------------------------------------------------------------------------------------- capacity


def _why_runnable(connection: "Connection", job: "Job") -> list[str]:
    from batchyard.cli.containers import resources
    from batchyard.cli.queue_load import load_of

    load = load_of(connection, job["jobQueue"])
    vcpus, memory_mib = resources(job)
    sentences = [job["statusReason"]] if job.get("statusReason") else []
    if load.queue["state"] == "DISABLED":
        sentences.append(
            f"The queue {load.queue['jobQueueName']} is DISABLED; it takes no new jobs, but goes on with those it has."
        )
    for environment in load.environments:
        name = environment["computeEnvironmentName"]
        if environment["state"] == "DISABLED":
            sentences.append(f"The compute environment {name} is DISABLED, so nothing new is placed there.")
        elif environment["status"] != "VALID":
            sentences.append(
                f"The compute environment {name} is {environment['status']}: {environment['statusReason']}"
            )
    if load.max_vcpus is not None and vcpus > load.max_vcpus:
        sentences.append(f"It can never be placed: the compute environments have {load.max_vcpus:g} vCPUs in all.")
    parent_id = job["jobId"].partition(":")[0]
    ahead = sum(
        claim.waiting
        for claim in load.claims
        if claim.job["createdAt"] < job["createdAt"] and claim.job["jobId"] != parent_id
    )
    place = f"{ahead:,}{' or more' if load.is_partial else ''} waiting" if ahead else "nothing that waits"
    sentences.append(f"It needs {vcpus:g} vCPU and {memory_mib:,} MiB. Submitted before it to the same queue: {place}.")
    return [*sentences, *_scarce_resources(connection, job), *_who_holds(load)]


def _scarce_resources(connection: "Connection", job: "Job") -> list[str]:
    """A sentence for each consumable resource of which less is available than the job needs."""
    from botocore.exceptions import ClientError

    sentences = []
    for need in job.get("consumableResourceProperties", {}).get("consumableResourceList", []):
        wanted = f"It needs {need['quantity']:,} of the consumable resource {need['consumableResource']}"
        try:
            found = connection.batch.describe_consumable_resource(consumableResource=need["consumableResource"])
        except ClientError as error:
            sentences.append(f"{wanted}: {error.response['Error']['Message']}.")
            continue
        if found["availableQuantity"] < need["quantity"]:
            sentences.append(
                f"{wanted}, of which {found['availableQuantity']:,} of {found['totalQuantity']:,} are free."
            )
    return sentences


def _who_holds(load: "QueueLoad") -> list[str]:
    holders = sorted(load.holders, key=lambda claim: claim.vcpus, reverse=True)
    if not holders:
        return ["Nothing runs there now: it is about to be placed, or nothing of that size fits."]
    held = sum(claim.vcpus for claim in holders)
    of = f" of {load.max_vcpus:g}" if load.max_vcpus else ""
    sentences = [f"{held:g}{of} vCPUs are held by:"]
    for claim in holders[:_NAMED_MAX]:
        children = f" ({claim.active:,} children)" if claim.active > 1 else ""
        sentences.append(f"  {claim.vcpus:g} vCPU  {_called(claim.job)}{children}")
    if len(holders) > _NAMED_MAX:
        sentences.append(f"  and {len(holders) - _NAMED_MAX} more jobs")
    return sentences


def _why_running(job: "Job") -> list[str]:
    from batchyard.cli.containers import parts_of_attempts
    from batchyard.cli.screen import ran_text

    attempt = len(parts_of_attempts(job)) + 1
    again = f", in attempt {attempt}" if attempt > 1 else ""
    return [
        f"It does not wait: it runs since {ran_text(job)}{again}. `batchyard logs -f {job['jobId']}` shows its output."
    ]


# -------------------------------------------------------------------------------------------------------------- failure


def _why_failed(connection: "Connection", job: "Job") -> list[str]:
    from batchyard.cli.containers import parts_of_attempts, streams
    from batchyard.cli.jobs import is_array

    sentences = [job["statusReason"]] if job.get("statusReason") else []
    if is_array(job):
        return sentences + _why_children_failed(connection, job)
    sentences += _culprits(job)
    if not parts_of_attempts(job):
        sentences.append("It never ran.")
        sentences += [words for words in _open_dependencies(connection, job) if "FAILED" in words]
    if any(streams(job)):
        sentences.append(f"What it wrote: `batchyard logs {job['jobId']}`.")
    return sentences


def _culprits(job: "Job") -> list[str]:
    """How the containers ended that made the job fail."""
    from batchyard.cli.containers import culprits, parts_of_attempts

    attempts = len(parts_of_attempts(job))
    last = f" in the last of {attempts} attempts" if attempts > 1 else ""
    sentences = []
    for part in culprits(job):
        named = f"Container {part.name}: " if part.name else ""
        if words := part.members.get("reason"):
            sentences.append(f"{named}{words}")
        if part.exit_code is not None:
            code = f"{part.exit_code}{_meaning(part.exit_code)}{last}"
            sentences.append(f"{named}exit code {code}." if named else f"Exit code {code}.")
    return sentences


def _why_children_failed(connection: "Connection", job: "Job") -> list[str]:
    from batchyard.cli.jobs import describe, list_jobs

    sentences: list[str] = []
    failed = list(list_jobs(connection, _NAMED_MAX, arrayJobId=job["jobId"], jobStatus="FAILED"))
    details = describe(connection, [child["jobId"] for child in failed])
    for child in details.values():
        sentences.append(f"Child {child['arrayProperties']['index']}:")
        sentences += [f"  {sentence}" for sentence in _why_failed(connection, child)]
    more = job["arrayProperties"].get("statusSummary", {}).get("FAILED", 0) - len(details)
    return [*sentences, f"And {more:,} more."] if more > 0 else sentences


def _meaning(exit_code: int) -> str:
    """What shells and kernels mean by an exit code, where that is a custom."""
    import signal

    known = {126: ": the command could not be executed", 127: ": the command was not found"}
    if exit_code in known:
        return known[exit_code]
    try:
        return f": ended by {signal.Signals(exit_code - SIGNAL_EXIT).name}"
    except ValueError:
        return ""


def _called(job: "Job") -> str:
    return f"{job['jobName']} ({job['jobId']})"
