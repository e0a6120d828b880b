"""`batchyard logs`: what a job wrote, and what it is writing."""

import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchyard.cli.options import EndpointUrl, JobReference, Output, OutputForm, Queue
from batchyard.cli.problem import CommandProblem

if TYPE_CHECKING:
    from batchyard.cli.connection import Connection
    from batchyard.cli.jobs import Job

DEFAULT_LOG_GROUP = "/aws/batch/job"
AWS_INGESTION_SECONDS = 5.0
"""CloudWatch Logs shows lines a few seconds after they were written, also those of a job that has ended."""

Event = dict[str, Any]


def logs(
    job: JobReference,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    attempt: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The attempt, counted from 1. Default: the latest.")
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Put its time before each line.")] = False,
    queue: Queue = "default",
    endpoint_url: EndpointUrl = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """Print what a job wrote.

    Of an array, name the child: JOB:7. With -f the output of later attempts follows too.
    """
    from batchyard.cli.connection import connect
    from batchyard.cli.jobs import find_job, is_array

    connection = connect(endpoint_url)
    found = find_job(connection, queue, job)
    if is_array(found):
        last = found["arrayProperties"]["size"] - 1
        raise CommandProblem(f"{job} is an array; its children have the logs: {job}:0 to {job}:{last}.")
    printer = _printer(output, timestamps=timestamps)
    if follow:
        print_until_end(connection, found, printer, first_attempt=attempt)
        return
    stream = _stream_of(found, attempt)
    if stream is None:
        if attempt is not None:
            raise CommandProblem(f"{job} has no log of an attempt {attempt}; it has had {len(_streams(found))}.")
        print(f"batchyard: {job} is {found['status']} and has written nothing.", file=sys.stderr)
        return
    for event in _Reader(connection, found, stream).new_events():
        printer(event)
    sys.stdout.flush()


def print_event(event: Event) -> None:
    """Print a line as the job wrote it."""
    sys.stdout.write(event["message"] + "\n")


def print_until_end(
    connection: "Connection", job: "Job", printer: Callable[[Event], None], *, first_attempt: int | None = None
) -> "Job":
    """Print what the job writes until it has ended; return what it is then.

    first_attempt None: from the attempt that is the latest now. Attempts after it follow, each introduced on standard
    error.
    """
    from batchyard.cli import jobs

    number = first_attempt or max(1, len(_streams(job)))
    reader: _Reader | None = None
    while True:
        # What was described before the log was read to its end cannot have written more after it had ended.
        has_ended, streams = jobs.is_finished(job), _streams(job)
        if has_ended and connection.is_aws:
            time.sleep(AWS_INGESTION_SECONDS)
        while number <= len(streams):
            stream = streams[number - 1]
            if stream is not None and (reader is None or reader.stream != stream):
                if number > (first_attempt or 1):
                    print(f"batchyard: attempt {number}", file=sys.stderr)
                reader = _Reader(connection, job, stream)
            for event in reader.new_events() if reader else ():
                printer(event)
            if number == len(streams):
                break
            number += 1
        sys.stdout.flush()
        if has_ended:
            return job
        time.sleep(connection.pace_seconds)
        job = jobs.describe_again(connection, job)


def _printer(output: OutputForm, *, timestamps: bool) -> Callable[[Event], None]:
    if output is OutputForm.JSON:
        import json

        return lambda event: print(json.dumps(event))
    if timestamps:
        from batchyard.cli.screen import clock_text

        return lambda event: print(clock_text(event["timestamp"]), event["message"])
    return print_event


# -------------------------------------------------------------------------------------------------------------- streams


def _streams(job: "Job") -> list[str | None]:
    """The log stream of each attempt, oldest first; None for an attempt that never got so far as to write."""
    streams = [attempt.get("container", {}).get("logStreamName") for attempt in job.get("attempts", [])]
    current = job.get("container", {}).get("logStreamName")
    if current is not None and current not in streams:
        streams.append(current)
    return streams


def _stream_of(job: "Job", attempt: int | None) -> str | None:
    streams = _streams(job)
    if attempt is None:
        return streams[-1] if streams else None
    return streams[attempt - 1] if attempt <= len(streams) else None


class _Reader:
    """Reads one log stream from its beginning, each event once."""

    def __init__(self, connection: "Connection", job: "Job", stream: str) -> None:
        options = job.get("container", {}).get("logConfiguration", {}).get("options", {})
        self._group = options.get("awslogs-group", DEFAULT_LOG_GROUP)
        self.stream = stream
        self._connection = connection
        self._token: str | None = None

    def new_events(self) -> Iterator[Event]:
        """What came since the last call, up to the end: CloudWatch Logs gives the token back that it was asked with."""
        while True:
            page = self._connection.patiently(self._page)
            yield from page["events"]
            token = page["nextForwardToken"]
            if token is None or token == self._token:
                return
            self._token = token

    def _page(self) -> Any:
        logs = self._connection.logs
        question = {"nextToken": self._token} if self._token else {}
        try:
            return logs.get_log_events(
                logGroupName=self._group, logStreamName=self.stream, startFromHead=True, **question
            )
        except logs.exceptions.ResourceNotFoundException:
            return {"events": [], "nextForwardToken": None}
