"""`batchyard submit` and `batchyard run`: a command becomes a job."""

import sys

import typer

from batchyard.cli.options import OutputForm
from batchyard.cli.wish import Wish, wished


@wished
def submit(wish: Wish, endpoint_url: str | None, output: OutputForm) -> None:
    """Submit a command as a job.

    Prints the job's id. Registers a job definition, or finds the one that it registered before, if none is named.
    """
    from batchyard.cli.connection import connect
    from batchyard.cli.job_request import submit_request
    from batchyard.cli.screen import print_json

    connection = connect(endpoint_url)
    answer = connection.batch.submit_job(**submit_request(connection, wish))
    if output is OutputForm.JSON:
        print_json(answer)
    else:
        print(answer["jobId"])


@wished
def run(wish: Wish, endpoint_url: str | None, output: OutputForm) -> None:
    """Submit a command and stay until it ends.

    Shows what the job writes; of an array, its progress. The exit code is that of the command if it failed, and 1 if
    the job failed without one. With --output json the job is printed when it has ended, instead of what it writes.
    """
    from batchyard.cli import jobs, screen, watch
    from batchyard.cli.connection import connect
    from batchyard.cli.job_request import submit_request
    from batchyard.cli.logs import print_event, print_until_end

    connection = connect(endpoint_url)
    job_id = connection.batch.submit_job(**submit_request(connection, wish))["jobId"]
    print(f"batchyard: job {job_id}", file=sys.stderr)
    job = jobs.describe(connection, [job_id])[job_id]
    try:
        if output is OutputForm.JSON:
            job = watch.wait_for_end(connection, job)
            screen.print_json({"jobs": [job]})
        elif jobs.is_array(job):
            job = watch.show_until_end(connection, job)
        else:
            job = print_until_end(connection, job, print_event)
    except KeyboardInterrupt:
        print(f"batchyard: {job_id} goes on; `batchyard terminate {job_id}` ends it.", file=sys.stderr)
        raise
    if job["status"] == "FAILED":
        watch.say_end(job)
        raise typer.Exit(job.get("container", {}).get("exitCode") or 1)
