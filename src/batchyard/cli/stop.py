"""`batchyard stop`: ends the server of a data folder, its supervisor and its jobs."""

import os
import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from batchyard.cli.options import Data
from batchyard.cli.problem import CommandProblem

SERVER_SECONDS = 20
_LOOK_AGAIN_SECONDS = 0.02


def stop(
    data: Data = None,
    grace: Annotated[
        float, typer.Option(metavar="SECONDS", help="Between SIGTERM and SIGKILL, for jobs that run.")
    ] = 30.0,
) -> None:
    """End a server, its supervisor and its jobs."""
    from batchyard.executors.process import stop_supervisor
    from batchyard.server.configuration import default_data_folder

    folder = (data or default_data_folder()).expanduser().absolute()
    had_server = _stop_server(folder)
    try:
        had_supervisor = stop_supervisor(folder, grace)
    except TimeoutError as problem:
        raise CommandProblem(f"{folder}: {problem}.") from None
    for part, was_there in (("server", had_server), ("supervisor", had_supervisor)):
        print(f"{part}: {'stopped' if was_there else 'was not running'}")


def _stop_server(folder: Path) -> bool:
    """Send SIGTERM to the server that holds the folder and wait until it let go; return whether there was one."""
    asked = _serving(folder)
    if asked is None:
        return False
    os.kill(asked, signal.SIGTERM)
    deadline = time.monotonic() + SERVER_SECONDS
    while _serving(folder) == asked:
        if time.monotonic() > deadline:
            raise CommandProblem(
                f"The server (process {asked}) has not ended within {SERVER_SECONDS} seconds of SIGTERM."
            )
        time.sleep(_LOOK_AGAIN_SECONDS)
    return True


def _serving(folder: Path) -> int | None:
    from batchyard.server.data_folder import serving_process

    try:
        return serving_process(folder)
    except OSError as problem:
        raise CommandProblem(f"The data folder {folder} cannot be read: {problem.strerror}.") from None
