"""docs/cli.md: every command and option, from the command line itself."""

import inspect
from pathlib import Path
from typing import Any

import pages
import typer.main

from batchyard.cli.main import app

PAGE = pages.DOCS / "cli.md"


def files() -> dict[Path, str]:
    """The page with its reference."""
    group: Any = typer.main.get_command(app)
    parts = [_options("Before any command", group)]
    parts += [_command(name, command) for name, command in group.commands.items()]
    return {PAGE: pages.with_part(PAGE.read_text(), "commands", "\n\n".join(parts))}


def _command(name: str, command: Any) -> str:
    context = command.context_class(command)
    usage = " ".join(["batchyard", name, *command.collect_usage_pieces(context)])
    return "\n\n".join([f"### {name}", f"```\n{usage}\n```", inspect.cleandoc(command.help), _options("", command)])


def _options(head: str, command: Any) -> str:
    context = command.context_class(command)
    records = [
        parameter.get_help_record(context)
        for parameter in command.params
        if parameter.name not in ("install_completion", "show_completion")
    ]
    return pages.table((head, ""), [(f"`{usage}`", text) for usage, text in records])
