"""The command line. This module and those of the commands import nothing heavy, so that `--help` is quick: whatever a
command needs, it imports when it is called."""

import sys
from typing import Annotated

import typer

from batchyard import __version__
from batchyard.cli.describe import describe
from batchyard.cli.doctor import doctor
from batchyard.cli.end_jobs import cancel, terminate
from batchyard.cli.events import events
from batchyard.cli.logs import logs
from batchyard.cli.ls import ls
from batchyard.cli.options import EndpointUrl, OutputForm
from batchyard.cli.problem import USAGE_EXIT, spoken
from batchyard.cli.retry import retry
from batchyard.cli.serve import serve
from batchyard.cli.simulate import simulate
from batchyard.cli.stop import stop
from batchyard.cli.submit import run, submit
from batchyard.cli.watch import watch
from batchyard.cli.why import why

app = typer.Typer(
    name="batchyard",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"batchyard {__version__}")
        raise typer.Exit


@app.callback()
def batchyard(
    context: typer.Context,
    endpoint_url: EndpointUrl = None,
    queue: Annotated[str | None, typer.Option("--queue", "-q", help="The job queue, by name or ARN.")] = None,
    output: Annotated[OutputForm | None, typer.Option("--output", "-o", help="How to print the answer.")] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """AWS Batch for the machines you own.

    Commands other than serve, stop, doctor and simulate are clients of the API, with the AWS configuration that every
    AWS client reads; they work against AWS Batch too. Exit codes: 0 done, 1 the job FAILED, 2 it could not be done, 130
    Ctrl-C.
    """
    given = {"endpoint_url": endpoint_url, "queue": queue, "output": output}
    defaults = {name: value for name, value in given.items() if value is not None}
    context.default_map = dict.fromkeys(COMMANDS, defaults)


COMMANDS = {
    command.__name__: command
    for command in (
        submit,
        run,
        ls,
        describe,
        watch,
        logs,
        events,
        why,
        cancel,
        terminate,
        retry,
        serve,
        stop,
        doctor,
        simulate,
    )
}
_TAKES_A_COMMAND_LINE = {"allow_interspersed_args": False}
"""Options after the first word of the command belong to the command."""

for name, command in COMMANDS.items():
    app.command(name, context_settings=_TAKES_A_COMMAND_LINE if command in (submit, run) else {})(command)


def main() -> None:
    """Run the command that the arguments name, and end the process with its exit code."""
    try:
        app()
    except Exception as error:
        words = spoken(error)
        if words is None:
            raise
        print(f"batchyard: {words}", file=sys.stderr)
        sys.exit(USAGE_EXIT)
