"""`batchyard events`: changes of status, as they happened and as they happen."""

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from batchyard.cli.options import EndpointUrl, Output, OutputForm
from batchyard.cli.problem import CommandProblem

if TYPE_CHECKING:
    from batchyard.cli.connection import Connection

_READ_SECONDS = 60.0
"""A stream says something every 15 seconds; one that does not for a minute is dead."""


class _Told(NamedTuple):
    """One server-sent event."""

    id: str
    event: str
    data: Any


def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens, until Ctrl-C.")] = False,
    after: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Behind this event. Default: all; with -f, what happens from now on."),
    ] = None,
    job: Annotated[
        str | None, typer.Option("--job", metavar="JOB", help="Of this job and its children, or this child.")
    ] = None,
    queue: Annotated[str | None, typer.Option("--queue", "-q", help="Of the jobs of this queue. Default: all.")] = None,
    status: Annotated[list[str] | None, typer.Option("--status", help="To this status; may be given again.")] = None,
    endpoint_url: EndpointUrl = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """Print changes of status: event, time, job and status.

    With --output json an event in EventBridge's form on each line. Of a Batchyard only; on AWS, ask EventBridge.
    """
    from batchyard.cli.connection import connect
    from batchyard.cli.jobs import job_id_of

    connection = connect(endpoint_url)
    if connection.is_aws:
        raise CommandProblem("AWS Batch has no stream of events: make a rule in EventBridge.")
    query: list[tuple[str, str]] = [("status", each) for each in status or ()]
    if queue is not None:
        query.append(("queue", queue))
    if job is not None:
        query.append(("job", job_id_of(connection, queue or "default", job)))
    if not follow:
        query.append(("follow", "false"))
    position = after if after is not None or follow else "0"
    for told in _stream(connection, query, position, follows=follow):
        _print(told, output)


def _print(told: _Told, output: OutputForm) -> None:
    if told.event == "gap":
        print(f"batchyard: what came before event {told.data['oldest']} is forgotten.", file=sys.stderr)
    elif output is OutputForm.JSON:
        print(json.dumps(told.data), flush=True)
    else:
        detail = told.data["detail"]
        reason = f"  {detail['statusReason']}" if "statusReason" in detail else ""
        words = f"{told.id}  {told.data['time']}  {detail['jobId']}  {detail['jobName']}  {detail['status']:<9}{reason}"
        print(words, flush=True)


def _stream(
    connection: "Connection", query: list[tuple[str, str]], position: str | None, *, follows: bool
) -> Iterator[_Told]:
    """The events; where a stream that is followed breaks, the next one goes on behind the last event.

    Raises CommandProblem with the server's words if it refuses.
    """
    from botocore.exceptions import EndpointConnectionError, HTTPClientError
    from urllib3.exceptions import HTTPError

    lines = _lines(connection, query, position)
    while True:
        try:
            for told in _parsed(lines):
                position = told.id or position
                if told.data is not None:
                    yield told
        except (HTTPError, HTTPClientError, EndpointConnectionError):
            if not follows:
                raise CommandProblem(f"The server went away after event {position}.") from None
        if not follows:
            return
        lines = connection.patiently(lambda: _lines(connection, query, position))  # noqa: B023 # called at once


def _lines(connection: "Connection", query: list[tuple[str, str]], position: str | None) -> Iterator[bytes]:
    """The lines of a stream, signed as every call is."""
    from batchyard.cli import pages

    headers = {} if position is None else {"Last-Event-ID": position}
    answer = pages.get(connection, "/events", query, headers, seconds=_READ_SECONDS)
    if answer.status_code != 200:
        raise CommandProblem(_refusal(answer.content))
    return iter(answer.raw)


def _refusal(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return "The server does not tell events; perhaps it is no Batchyard."


def _parsed(lines: Iterator[bytes]) -> Iterator[_Told]:
    fields: dict[str, str] = {}
    for line in lines:
        if line.strip():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            fields[name] = value
            continue
        yield _Told(fields.get("id", ""), fields.get("event", ""), json.loads(fields.get("data", "null")))
        fields = {}
