"""`batchyard cancel` and `batchyard terminate`."""

from typing import Annotated

import typer

from batchyard.cli.options import EndpointUrl, JobReferences, Output, OutputForm, Queue
from batchyard.cli.problem import USAGE_EXIT


def cancel(
    jobs: JobReferences,
    reason: Annotated[str, typer.Option(help="Kept as the jobs' statusReason.")] = "Cancelled by user",
    queue: Queue = "default",
    endpoint_url: EndpointUrl = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """Cancel jobs that have not started.

    Those that are STARTING or RUNNING are left alone: see terminate. PENDING ones end when their dependencies have.
    """
    _end("cancel_job", jobs, reason, queue, endpoint_url, output)


def terminate(
    jobs: JobReferences,
    reason: Annotated[str, typer.Option(help="Kept as the jobs' statusReason.")] = "Terminated by user",
    queue: Queue = "default",
    endpoint_url: EndpointUrl = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """End jobs, running or not.

    What runs gets SIGTERM, and SIGKILL after 30 seconds.
    """
    _end("terminate_job", jobs, reason, queue, endpoint_url, output)


def _end(
    operation: str, references: list[str], reason: str, queue: str, endpoint_url: str | None, output: OutputForm
) -> None:
    """One call for each job, since the calls for many are younger than many an installation of AWS's clients."""
    from botocore.exceptions import ClientError

    from batchyard.cli.connection import connect
    from batchyard.cli.jobs import find_jobs
    from batchyard.cli.screen import print_json

    connection = connect(endpoint_url)
    successful: list[str] = []
    errors: list[dict[str, str]] = []
    for job in find_jobs(connection, queue, references):
        if "nodeDetails" in job:
            own_job = job["jobId"].partition("#")[0]
            errors.append({"job": job["jobId"], "message": f"a node cannot be ended by itself; its job is {own_job}"})
            continue
        try:
            getattr(connection.batch, operation)(jobId=job["jobId"], reason=reason)
            successful.append(job["jobId"])
        except ClientError as error:
            errors.append({"job": job["jobId"], "message": error.response["Error"].get("Message", str(error))})
    if output is OutputForm.JSON:
        print_json({"successful": successful, "errors": errors})
    else:
        print("".join(f"{job_id}\n" for job_id in successful), end="")
        for problem in errors:
            typer.echo(f"batchyard: {problem['job']}: {problem['message']}", err=True)
    if errors:
        raise typer.Exit(USAGE_EXIT)
