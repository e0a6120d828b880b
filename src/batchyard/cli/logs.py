"""`batchyard logs`: what a job wrote, and what it is writing."""

import heapq
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchyard.cli.options import EndpointUrl, JobReference, Output, OutputForm, Queue
from batchyard.cli.problem import CommandProblem

if TYPE_CHECKING:
    from batchyard.cli.connection import Connection
    from batchyard.cli.containers import Stream
    from batchyard.cli.jobs import Job

AWS_INGESTION_SECONDS = 5.0
"""CloudWatch Logs shows lines a few seconds after they were written, also those of a job that has ended."""

Event = dict[str, Any]


def logs(
    job: JobReference,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    attempt: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="The attempt, counted from 1. Default: the latest.")
    ] = None,
    container: Annotated[
        str | None, typer.Option("--container", "-c", metavar="NAME", help="Of several containers only this one.")
    ] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Put its time before each line.")] = False,
    queue: Queue = "default",
    endpoint_url: EndpointUrl = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """Print what a job wrote.

    Of an array, name the child: JOB:7. Of several nodes, name one: JOB#1; without, it is the main node's. Lines of
    several containers have the container's name before them. With -f the output of later attempts follows too.
    """
    from batchyard.cli.connection import connect
    from batchyard.cli.containers import streams

    connection = connect(endpoint_url)
    found = _writer(connection, queue, job)
    printer = _printer(output, timestamps=timestamps)
    if follow:
        print_until_end(connection, found, printer, first_attempt=attempt, container=container)
        return
    of_attempts = streams(found, container)
    number = len(of_attempts) if attempt is None else attempt
    if number > len(of_attempts):
        raise CommandProblem(f"{job} has no log of an attempt {attempt}; it has had {len(of_attempts)}.")
    if number == 0 or not of_attempts[number - 1]:
        print(f"batchyard: {job} is {found['status']} and has written nothing.", file=sys.stderr)
        return
    for event in _Output(connection).new_events(of_attempts[number - 1]):
        printer(event)
    sys.stdout.flush()


def _writer(connection: "Connection", queue: str, reference: str) -> "Job":
    """The job that has the logs. Raises CommandProblem for an array, whose children have them."""
    from batchyard.cli.containers import is_multi_node, main_node
    from batchyard.cli.jobs import find_job, is_array

    found = find_job(connection, queue, reference)
    if is_array(found):
        last = found["arrayProperties"]["size"] - 1
        raise CommandProblem(
            f"{reference} is an array; its children have the logs: {reference}:0 to {reference}:{last}."
        )
    if not is_multi_node(found):
        return found
    number, main = found["nodeProperties"]["numNodes"], found["nodeProperties"]["mainNode"]
    print(f"batchyard: the main node of {number}, {reference}#{main}", file=sys.stderr)
    return main_node(connection, found)


def print_event(event: Event) -> None:
    """Print a line as the job wrote it, behind the name of the container if the job has several."""
    container = event.get("container")
    sys.stdout.write(f"{container} | {event['message']}\n" if container else event["message"] + "\n")


def print_until_end(
    connection: "Connection",
    job: "Job",
    printer: Callable[[Event], None],
    *,
    first_attempt: int | None = None,
    container: str | None = None,
) -> "Job":
    """Print what the job writes until it has ended; return what it is then.

    first_attempt None: from the attempt that is the latest now. Attempts after it follow, each introduced on standard
    error. container: of several only this one. Raises CommandProblem if there is no such container.
    """
    from batchyard.cli import jobs
    from batchyard.cli.containers import streams

    number = first_attempt or max(1, len(streams(job, container)))
    introduced = first_attempt or 1
    out = _Output(connection)
    while True:
        # What was described before the log was read to its end cannot have written more after it had ended.
        has_ended, of_attempts = jobs.is_finished(job), streams(job, container)
        if has_ended and connection.is_aws:
            time.sleep(AWS_INGESTION_SECONDS)
        while number <= len(of_attempts):
            if of_attempts[number - 1] and number > introduced:
                print(f"batchyard: attempt {number}", file=sys.stderr)
                introduced = number
            for event in out.new_events(of_attempts[number - 1]):
                printer(event)
            if number == len(of_attempts):
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
    if not timestamps:
        return print_event
    from batchyard.cli.screen import clock_text

    def print_with_time(event: Event) -> None:
        sys.stdout.write(f"{clock_text(event['timestamp'])} ")
        print_event(event)

    return print_with_time


# -------------------------------------------------------------------------------------------------------------- streams


class _Output:
    """Reads log streams from their beginning, each event once."""

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._tokens: dict[Stream, str] = {}

    def new_events(self, of_attempt: "Sequence[Stream]") -> Iterator[Event]:
        """What came into these streams since the last call, by time; each with its `container` if there are several."""
        if len(of_attempt) == 1:
            return self._of_stream(of_attempt[0], {})
        each = [self._of_stream(stream, {"container": stream.container}) for stream in of_attempt]
        return heapq.merge(*each, key=lambda event: event["timestamp"])

    def _of_stream(self, stream: "Stream", more: Event) -> Iterator[Event]:
        """Up to the end: CloudWatch Logs gives the token back that it was asked with."""
        while True:
            token = self._tokens.get(stream)
            page = self._connection.patiently(partial(self._page, stream, token))
            for event in page["events"]:
                yield {**event, **more}
            if page["nextForwardToken"] in (None, token):
                return
            self._tokens[stream] = page["nextForwardToken"]

    def _page(self, stream: "Stream", token: str | None) -> Any:
        logs = self._connection.logs
        question = {"nextToken": token} if token else {}
        try:
            return logs.get_log_events(
                logGroupName=stream.group, logStreamName=stream.name, startFromHead=True, **question
            )
        except logs.exceptions.ResourceNotFoundException:
            return {"events": [], "nextForwardToken": None}
