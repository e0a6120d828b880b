"""`batchyard describe`: all that is known of a job, for reading."""

import shlex
from typing import TYPE_CHECKING

from batchyard.cli.options import EndpointUrl, JobReferences, Output, OutputForm, Queue

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

    from batchyard.cli.jobs import Job


def describe(
    jobs: JobReferences, queue: Queue = "default", endpoint_url: EndpointUrl = None, output: Output = OutputForm.TABLE
) -> None:
    """Show all that is known of jobs.

    Status and reasons, what they run, every attempt, the children of an array.
    """
    from rich.panel import Panel

    from batchyard.cli import screen
    from batchyard.cli.connection import connect
    from batchyard.cli.jobs import find_jobs

    found = find_jobs(connect(endpoint_url), queue, jobs)
    if output is OutputForm.JSON:
        screen.print_json({"jobs": found})
        return
    console = screen.console()
    width = min(console.width, 120)
    for job in found:
        title = f"[bold]{job['jobName']}[/]  {job['jobId']}"
        console.print(Panel(_contents(job, width - 4), title=title, title_align="left", width=width))


def _contents(job: "Job", width: int) -> "Group":
    from rich.console import Group, RenderableType
    from rich.text import Text

    from batchyard.cli import jobs, screen

    parts: list[RenderableType] = [_facts(job)]
    if jobs.is_array(job):
        counts = jobs.children_by_status(job)
        parts += [Text(), screen.bar(counts, width), screen.counts_text(counts)]
    if job.get("attempts"):
        parts += [Text(), _attempts_table(job)]
    return Group(*parts)


def _facts(job: "Job") -> "Table":
    from rich.table import Table
    from rich.text import Text

    from batchyard.cli import jobs, screen

    container = job.get("container", {})
    vcpus, memory_mib = jobs.resources(job)
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
    from batchyard.cli import screen

    table = screen.table(">ATTEMPT", ">EXIT", "STARTED", ">RAN", "REASON", "LOG STREAM")
    for number, attempt in enumerate(job["attempts"], 1):
        container = attempt.get("container", {})
        reasons = filter(None, (attempt.get("statusReason"), container.get("reason")))
        table.add_row(
            str(number),
            str(container.get("exitCode", "")),
            screen.clock_text(attempt.get("startedAt")),
            screen.ran_text(attempt),
            screen.plain("; ".join(reasons)),
            screen.plain(container.get("logStreamName")),
        )
    return table
