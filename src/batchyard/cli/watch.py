"""`batchyard watch`: a job until its end, as a bar of its children if it is an array."""

import sys
import time
from typing import TYPE_CHECKING

from batchyard.cli.options import EndpointUrl, JobReference, Output, OutputForm, Queue

if TYPE_CHECKING:
    from rich.console import Console, Group

    from batchyard.cli.connection import Connection
    from batchyard.cli.jobs import Job

_PLAIN_LINE_SECONDS = 1.0
"""Without a terminal a line is printed for each change, but not more often than this."""


def watch(
    job: JobReference, queue: Queue = "default", endpoint_url: EndpointUrl = None, output: Output = OutputForm.TABLE
) -> None:
    """Watch a job until it ends.

    The exit code is 0 if it SUCCEEDED, 1 if it FAILED, and 130 after Ctrl-C, which leaves the job alone.
    """
    import typer

    from batchyard.cli import screen
    from batchyard.cli.connection import connect
    from batchyard.cli.jobs import find_job

    connection = connect(endpoint_url)
    found = find_job(connection, queue, job)
    if output is OutputForm.JSON:
        found = wait_for_end(connection, found)
        screen.print_json({"jobs": [found]})
    else:
        found = show_until_end(connection, found)
    if found["status"] == "FAILED":
        say_end(found)
        raise typer.Exit(1)


def wait_for_end(connection: "Connection", job: "Job") -> "Job":
    """The job once it has ended; nothing is shown meanwhile."""
    from batchyard.cli.jobs import describe_again, is_finished

    while not is_finished(job):
        time.sleep(connection.pace_seconds)
        job = describe_again(connection, job)
    return job


def show_until_end(connection: "Connection", job: "Job") -> "Job":
    """Show the job until it has ended, and return what it is then."""
    from batchyard.cli import screen

    console = screen.console()
    return _show_live(connection, job, console) if console.is_terminal else _print_changes(connection, job, console)


def say_end(job: "Job") -> None:
    """Say on standard error why a job failed and where to read on."""
    from batchyard.cli.containers import culprits
    from batchyard.cli.jobs import is_array

    reasons = [job.get("statusReason")]
    for part in () if is_array(job) else culprits(job):
        name = f"container {part.name}: " if part.name else ""
        reasons += [f"{name}{words}" for words in (part.members.get("reason"), _exit_words(part.exit_code)) if words]
    more = f"ls {job['jobId']} --status FAILED" if is_array(job) else f"logs {job['jobId']}"
    print(
        f"batchyard: FAILED: {'; '.join(filter(None, reasons)) or 'no reason given'}. See `batchyard {more}`.",
        file=sys.stderr,
    )


def _exit_words(exit_code: int | None) -> str | None:
    return None if exit_code is None else f"exit code {exit_code}"


def _show_live(connection: "Connection", job: "Job", console: "Console") -> "Job":
    from rich.live import Live

    from batchyard.cli.jobs import describe_again, is_finished

    with Live(_picture(job, console.width), console=console, auto_refresh=False) as live:
        while not is_finished(job):
            time.sleep(connection.pace_seconds)
            job = describe_again(connection, job)
            live.update(_picture(job, console.width), refresh=True)
    return job


def _picture(job: "Job", width: int) -> "Group":
    from rich.console import Group, RenderableType
    from rich.table import Table
    from rich.text import Text

    from batchyard.cli import jobs, screen

    heading = Table.grid(padding=(0, 2))
    heading.add_row(
        Text(job["jobName"], "bold"),
        Text(job["jobId"], "dim"),
        screen.status_text(job["status"]),
        screen.ran_text(job),
        _attempt_words(job),
    )
    parts: list[RenderableType] = [heading]
    if jobs.is_array(job):
        counts = jobs.children_by_status(job)
        parts += [screen.bar(counts, min(width, 100)), screen.counts_text(counts)]
    return Group(*parts)


def _attempt_words(job: "Job") -> str:
    ended = len(job.get("attempts", []))
    return f"{ended} attempt{'s' if ended > 1 else ''} ended" if ended and job["status"] != "SUCCEEDED" else ""


def _print_changes(connection: "Connection", job: "Job", console: "Console") -> "Job":
    from batchyard.cli import jobs, screen

    printed, printed_at = "", 0.0
    while True:
        counts = f"  {screen.counts_text(jobs.children_by_status(job))}" if jobs.is_array(job) else ""
        line = f"{job['jobId']}  {job['status']}{counts}"
        is_due = jobs.is_finished(job) or time.monotonic() - printed_at >= _PLAIN_LINE_SECONDS
        if line != printed and (is_due or not counts):
            console.print(line, markup=False)
            printed, printed_at = line, time.monotonic()
        if jobs.is_finished(job):
            return job
        time.sleep(connection.pace_seconds)
        job = jobs.describe_again(connection, job)
