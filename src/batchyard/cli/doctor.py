"""`batchyard doctor`: what can this machine run, what is missing, how to fix it."""

from typing import Annotated

import typer

from batchyard.cli.options import Data, Output, OutputForm

_COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    data: Data = None,
    host: Annotated[str, typer.Option(help="The address that serve would listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port that serve would listen on.")] = 22824,
    output: Output = OutputForm.TABLE,
) -> None:
    """Say what this machine can run.

    And what is missing, and how to fix it. The exit code is 1 if serving cannot work.
    """
    from batchyard.cli import screen
    from batchyard.cli.machine_checks import Level, findings
    from batchyard.server.configuration import default_data_folder

    found = list(findings((data or default_data_folder()).expanduser().absolute(), host, port))
    if output is OutputForm.JSON:
        screen.print_json({"findings": [finding.as_json() for finding in found]})
    else:
        console = screen.console()
        table = screen.table("", "WHAT", "HOW IT IS", "WHAT TO DO")
        for column in table.columns[2:]:
            column.no_wrap = False
        for finding in found:
            level = screen.plain(finding.level)
            level.stylize(_COLOURS[finding.level])
            table.add_row(level, finding.name, screen.plain(finding.detail), screen.plain(finding.remedy))
        console.print(table)
    if any(finding.level is Level.FAIL for finding in found):
        raise typer.Exit(1)
