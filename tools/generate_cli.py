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
    arguments = [p.make_metavar(_context(command)) for p in command.params if p.param_type_name == "argument"]
    usage = " ".join(["batchyard", name, "[OPTIONS]", *arguments])
    return "\n\n".join([f"### {name}", f"```\n{usage}\n```", inspect.cleandoc(command.help), _options("Option", command)])


def _options(head: str, command: Any) -> str:
    rows = [
        (f"`{_usage(command, parameter)}`", parameter.help or "")
        for parameter in command.params
        if parameter.name not in ("install_completion", "show_completion")
    ]
    return pages.table((head, ""), rows)


def _usage(command: Any, parameter: Any) -> str:
    metavar = parameter.make_metavar(_context(command))
    if parameter.param_type_name == "argument":
        return str(metavar)
    names = ", ".join(sorted(parameter.opts, key=len))
    return names if parameter.is_flag else f"{names} {metavar}"


def _context(command: Any) -> Any:
    return command.context_class(command)
