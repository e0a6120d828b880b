"""`batchyard ls`: the jobs of a queue, the children of an array, or the nodes of a job."""

from typing import TYPE_CHECKING, Annotated

import typer

from batchyard.cli.options import EndpointUrl, Output, OutputForm, Queue
from batchyard.cli.problem import CommandProblem

if TYPE_CHECKING:
    from rich.table import Table

    from batchyard.cli.connection import Connection
    from batchyard.cli.jobs import Job


def ls(
    job: Annotated[
        str | None, typer.Argument(metavar="JOB", help="An array or a multi-node job, to list what it has.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", "-a", help="Also jobs that have finished.")] = False,
    status: Annotated[str | None, typer.Option(metavar="STATUS", help="Only jobs in this status.")] = None,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="At most so many in each status.")] = 100,
    queue: Queue = "default",
    endpoint_url: EndpointUrl = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """List jobs, the children of an array, or the nodes of a job.

    Without JOB: the live jobs of a queue, newest first. With JOB: the children of that array, or the nodes of that
    multi-node job, whatever their status.
    """
    from batchyard.cli import jobs, screen
    from batchyard.cli.connection import connect

    statuses = _statuses(status, everything=all_ or job is not None)
    connection = connect(endpoint_url)
    if job is None:
        found = _in(connection, statuses, limit, jobQueue=queue)
        found.sort(key=lambda summary: summary["createdAt"], reverse=True)
    else:
        found = _children(connection, jobs.find_job(connection, queue, job), statuses, limit)
    if output is OutputForm.JSON:
        screen.print_json({"jobSummaryList": found})
    else:
        screen.console().print(_jobs_table(found) if job is None else _children_table(found))


def _children(connection: "Connection", parent: "Job", statuses: tuple[str, ...], limit: int) -> "list[Job]":
    """By index. Raises CommandProblem for a job that is neither an array nor has nodes."""
    from batchyard.cli.containers import is_multi_node
    from batchyard.cli.jobs import is_array

    if is_array(parent):
        found = _in(connection, statuses, limit, arrayJobId=parent["jobId"])
    elif is_multi_node(parent):
        found = _in(connection, statuses, limit, multiNodeJobId=parent["jobId"])
    else:
        what = "neither an array job nor one of several nodes, so it has no children"
        raise CommandProblem(f"{parent['jobId']} is {what}. `batchyard describe` shows it.")
    return sorted(found, key=_index)


def _index(summary: "Job") -> int:
    """Of an array's child, or of a node."""
    node = summary.get("nodeProperties")
    return int(summary["arrayProperties"]["index"] if node is None else node["nodeIndex"])


def _statuses(chosen: str | None, *, everything: bool) -> tuple[str, ...]:
    from batchyard.cli.jobs import FINISHED, LIVE

    if chosen is None:
        return (*LIVE, *FINISHED) if everything else LIVE
    if chosen.upper() not in (*LIVE, *FINISHED):
        raise CommandProblem(f"There is no status {chosen}. There are {', '.join((*LIVE, *FINISHED))}.")
    return (chosen.upper(),)


def _in(connection: "Connection", statuses: tuple[str, ...], limit: int, **question: str) -> "list[Job]":
    """Asked one status after another, in the order of a job's life, so that one that moves on is not missed.

    It may be found twice on its way; what it was last is what counts.
    """
    from batchyard.cli.jobs import list_jobs

    found = {
        job["jobId"]: job for status in statuses for job in list_jobs(connection, limit, jobStatus=status, **question)
    }
    return list(found.values())


def _jobs_table(found: "list[Job]") -> "Table":
    from batchyard.cli import screen

    table = screen.table("JOB ID", "NAME", "STATUS", "CHILDREN", ">AGE", ">RAN", "REASON")
    for job in found:
        table.add_row(
            job["jobId"],
            job["jobName"],
            screen.status_text(job["status"]),
            screen.children_text(job),
            screen.age_text(job["createdAt"]),
            screen.ran_text(job),
            screen.plain(job.get("statusReason")),
        )
    return table


def _children_table(found: "list[Job]") -> "Table":
    from batchyard.cli import screen

    table = screen.table(">INDEX", "STATUS", ">EXIT", "STARTED", ">RAN", "REASON")
    for job in found:
        container = job.get("container", {})
        table.add_row(
            str(_index(job)),
            screen.status_text(job["status"]),
            str(container.get("exitCode", "")),
            screen.clock_text(job.get("startedAt")),
            screen.ran_text(job),
            screen.plain(container.get("reason") or job.get("statusReason")),
        )
    return table
