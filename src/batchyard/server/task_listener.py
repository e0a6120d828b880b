"""The loopback socket that jobs ask, on a port that stays the same.

Jobs outlive the server and were told an address, so the next server of the data folder must listen there again. The
port is kept in the folder. It is chosen below those that the kernel gives to outgoing connections, where anybody might
get it while no server runs.
"""

import logging
import random
import socket
from contextlib import suppress
from pathlib import Path

from batchyard.server.problem import ConfigurationProblem

ADDRESS = "127.0.0.1"
PORTS = range(23_000, 32_000)

_FILE = "tasks.port"
_TRIES = 50

_log = logging.getLogger(__name__)


def task_listener(folder: Path) -> socket.socket:
    """A socket that listens, in which connections wait until they are accepted. Raises ConfigurationProblem."""
    file = folder / _FILE
    known = _known_port(file)
    if known is not None:
        with suppress(OSError):
            return socket.create_server((ADDRESS, known))
        _log.warning("port %d is taken: jobs that run cannot ask for metadata and credentials any more", known)
    for port in [*random.sample(PORTS, _TRIES), 0]:
        with suppress(OSError):
            made = socket.create_server((ADDRESS, port))
            file.write_text(f"{made.getsockname()[1]}\n")
            return made
    raise ConfigurationProblem(f"No port of {ADDRESS} is free for jobs to ask at.")


def task_url(listener: socket.socket) -> str:
    """Where jobs of this machine reach it."""
    return f"http://{ADDRESS}:{listener.getsockname()[1]}"


def _known_port(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (FileNotFoundError, ValueError):
        return None
