"""`batchyard describe`: all that is known of a job, for reading."""

import shlex
from typing import TYPE_CHECKING

from batchyard.cli.options import EndpointUrl, JobReferences, Output, OutputForm, Queue

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from batchyard.cli.connection import Connection
    from batchyard.cli.containers import Part
    from batchyard.cli.jobs import Job


def describe(
    jobs: JobReferences, queue: Queue = "default", endpoint_url: EndpointUrl = None, output: Output = OutputForm.TABLE
) -> None:
    """Show all that is known of jobs.

    Status and reasons, what they run, every attempt, the children of an array, the containers of a task or pod, the
    nodes of a multi-node job.
    """
    from rich.panel import Panel

    from batchyard.cli import screen
    from batchyard.cli.connection import connect
    from batchyard.cli.jobs import find_jobs

    connection = connect(endpoint_url)
    found = find_jobs(connection, queue, jobs)
    if output is OutputForm.JSON:
        screen.print_json({"jobs": found})
        return
    console = screen.console()
    width = min(console.width, 120)
    for job in found:
        title = f"[bold]{job['jobName']}[/]  {job['jobId']}"
        console.print(Panel(_contents(connection, job, width - 4), title=title, title_align="left", width=width))


def _contents(connection: "Connection", job: "Job", width: int) -> "Group":
    from rich.console import Group, RenderableType
    from rich.text import Text

    from batchyard.cli import containers, jobs, screen

    parts: list[RenderableType] = [_facts(job)]
    if jobs.is_array(job):
        counts = jobs.children_by_status(job)
        parts += [Text(), screen.bar(counts, width), screen.counts_text(counts)]
    if containers.is_multi_node(job):
        parts += [Text(), _nodes_table(connection, job)]
    elif containers.parts(job)[0].name is not None:
        parts += [Text(), _containers_table(job)]
    if containers.parts_of_attempts(job):
        parts += [Text(), _attempts_table(job)]
    return Group(*parts)


def _facts(job: "Job") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from batchyard.cli import jobs, screen
    from batchyard.cli.containers import parts, resources

    found = parts(job)
    container = found[0].members if len(found) == 1 and found[0].name is None else {}
    vcpus, memory_mib = resources(job)
    depends_on = [" ".join(filter(None, (entry.get("jobId"), entry.get("type")))) for entry in job.get("dependsOn", [])]
    rows = {
        "status": screen.status_text(job["status"]),
        "reason": job.get("statusReason"),
        "container": container.get("reason"),
        "exit code": container.get("exitCode"),
        "queue": jobs.tail_of_arn(job["jobQueue"]),
        "definition": jobs.tail_of_arn(job["jobDefinition"]),
        "image": container.get("image"),
        "command": shlex.join(container.get("command", [])),
        "resources": f"{vcpus:g} vCPU, {memory_mib:,} MiB",
        "environment": " ".join(f"{item['name']}={item.get('value', '')}" for item in container.get("environment", [])),
        "depends on": ", ".join(depends_on),
        "created": screen.clock_text(job.get("createdAt")),
        "started": screen.clock_text(job.get("startedAt")),
        "stopped": screen.clock_text(job.get("stoppedAt")),
        "ran": screen.ran_text(job),
        "log stream": container.get("logStreamName"),
    }
    grid = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        if value not in (None, ""):
            grid.add_row(Text(name, "dim"), value if isinstance(value, Text) else screen.plain(str(value)))
    return grid


def _attempts_table(job: "Job") -> "Table":
    """A row for each attempt, or for each container of each."""
    from batchyard.cli import screen
    from batchyard.cli.containers import parts_of_attempts

    attempts = parts_of_attempts(job)
    have_names = any(part.name for _, parts in attempts for part in parts)
    container = ["CONTAINER"] if have_names else []
    table = screen.table(">ATTEMPT", *container, ">EXIT", "STARTED", ">RAN", "REASON", "LOG STREAM")
    for number, (attempt, parts) in enumerate(attempts, 1):
        for part in parts:
            of_attempt = attempt.get("statusReason") if part is parts[0] else None
            table.add_row(
                str(number),
                *([screen.plain(part.name)] if have_names else []),
                _exit_text(part),
                screen.clock_text(attempt.get("startedAt")),
                screen.ran_text(attempt),
                screen.plain("; ".join(filter(None, (of_attempt, part.members.get("reason"))))),
                screen.plain(part.members.get("logStreamName")),
            )
    return table


def _containers_table(job: "Job") -> "Table":
    from batchyard.cli import screen
    from batchyard.cli.containers import parts

    table = screen.table("CONTAINER", ">EXIT", "IMAGE", "COMMAND", "REASON")
    for part in parts(job):
        words = filter(None, ("" if part.is_essential else "not essential", part.members.get("reason")))
        table.add_row(
            screen.plain(part.name),
            _exit_text(part),
            screen.plain(part.members.get("image")),
            screen.plain(shlex.join(part.members.get("command", []))),
            screen.plain("; ".join(words)),
        )
    return table


def _nodes_table(connection: "Connection", job: "Job") -> "Table":
    from batchyard.cli import jobs, screen
    from batchyard.cli.containers import node_ids, parts

    table = screen.table(">NODE", "STATUS", "CONTAINER", ">EXIT", "STARTED", ">RAN", "ADDRESS", "REASON")
    main, ids = job["nodeProperties"]["mainNode"], node_ids(job)
    for node in jobs.describe(connection, ids).values():
        for part in parts(node):
            table.add_row(
                f"{node['nodeDetails']['nodeIndex']}",
                screen.status_text(node["status"]),
                screen.plain(part.name),
                _exit_text(part),
                screen.clock_text(node.get("startedAt")),
                screen.ran_text(node),
                " ".join(each["privateIpv4Address"] for each in part.members.get("networkInterfaces", [])),
                screen.plain("; ".join(filter(None, (_main_word(node, main), part.members.get("reason"))))),
            )
    return table


def _main_word(node: "Job", main: int) -> str:
    return "main node" if node["nodeDetails"]["nodeIndex"] == main else ""


def _exit_text(part: "Part") -> str:
    return "" if part.exit_code is None else str(part.exit_code)
