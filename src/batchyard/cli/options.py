"""The options that several commands share, each with one name and one help text."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class OutputForm(StrEnum):
    """`table` is for people and may change; `json` has AWS's own members."""

    TABLE = "table"
    JSON = "json"


EndpointUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the API is. Default: what the AWS configuration says (AWS_ENDPOINT_URL_BATCH, a profile); without "
        "endpoint and credentials there, http://127.0.0.1:22824.",
    ),
]
Output = Annotated[OutputForm, typer.Option("--output", "-o", help="How to print the answer.")]
Queue = Annotated[str, typer.Option("--queue", "-q", help="The job queue, by name or ARN.")]
Data = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The data folder. Default: ~/.local/share/batchyard, or as XDG says.")
]
JobReference = Annotated[
    str,
    typer.Argument(
        metavar="JOB",
        help="A job id, its first six characters or more, or a name that one job has; with :7 an array child, with #1 "
        "a node.",
    ),
]
JobReferences = Annotated[
    list[str],
    typer.Argument(metavar="JOB", help="Job ids, their beginnings, or names; with :7 an array child, with #1 a node."),
]
