"""A server as an operator starts it: its own process, a data folder, a port of its own; killed at will."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil

from batchyard.executors.process import stop_supervisor

STOP_SECONDS = 30.0
_POLL_SECONDS = 0.01
_SOURCES = Path(__file__).parents[2] / "src"

T = TypeVar("T")


def wait_for(check: Callable[[], T | None], what: str, seconds: float = 20.0) -> T:
    """Ask `check` until it answers something true, and return that; AssertionError naming `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(_POLL_SECONDS)
    return found


def steady_port() -> int:
    """A free port that no outgoing connection is given meanwhile, for a server that is to come back on it."""
    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    while True:
        port = random.randrange(first_outgoing // 2, first_outgoing)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class ServerProcess:
    """`batchyard serve` over one data folder; may be killed and started again over the same folder.

    settings: what its batchyard.toml says. flags: `--max-vcpus 8` and the like, as they stand on the command line.
    """

    def __init__(self, folder: Path, *flags: str, settings: Mapping[str, Any] | None = None) -> None:
        self.data = folder / "data"
        self.log = folder / "server.log"
        self.url = ""
        self._flags = list(flags)
        self._process: subprocess.Popen[str] | None = None
        if settings:
            file = folder / "batchyard.toml"
            file.write_text("".join(f"{name} = {_toml(value)}\n" for name, value in settings.items()))
            self._flags += ["--config", str(file)]

    @property
    def process_id(self) -> int:
        """Of the running server."""
        assert self._process is not None
        return self._process.pid

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def start(self, port: int = 0) -> None:
        """Start it and return once it listens; raises AssertionError with its log if it does not."""
        self.launch(port)
        self.wait_until_it_listens()

    def launch(self, port: int = 0) -> None:
        """Start it and return at once."""
        command = [sys.executable, "-m", "batchyard", "serve", "--data", str(self.data), "--port", str(port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, *([] if "--executor" in self._flags else ["--executor", "process"]), *self._flags],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONPATH": str(_SOURCES)},
            )

    def wait_until_it_listens(self) -> None:
        """Return when it takes requests; raises AssertionError with its log if it ended instead."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.fullmatch(r"batchyard listening on (http://\S+)\n", line)
        if not found:
            code = self._process.wait(STOP_SECONDS)
            raise AssertionError(f"the server said {line!r} and ended with {code}: {self.log.read_text()[-2000:]}")
        self.url = found[1]

    def kill(self) -> None:
        """kill -9, as a crash would; returns when it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(STOP_SECONDS)

    def terminate(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_SECONDS)

    def supervisor(self) -> psutil.Process:
        """The supervisor of the data folder, which its command line names. Raises AssertionError if there is none."""
        found = [p for p in self.processes() if "batchyard.supervisor" in _of(p.cmdline, [])]
        assert len(found) == 1, f"supervisors of {self.data}: {found}"
        return found[0]

    def processes(self) -> list[psutil.Process]:
        """Whatever lives on this machine because of the data folder, besides the server: supervisor and jobs."""
        mark = str(self.data)
        return [p for p in psutil.process_iter() if p.pid != self._server_id() and _names(p, mark)]

    def end(self) -> None:
        """Stop server and supervisor, and see that nothing of theirs is left behind."""
        if self._process is not None and self._process.poll() is None:
            assert self.terminate() == 0, self.log.read_text()[-2000:]
        stop_supervisor(self.data, 0.0)
        wait_for(lambda: not self.processes(), f"nothing left of {self.data}")

    def _server_id(self) -> int:
        return -1 if self._process is None or self._process.poll() is not None else self._process.pid


def _names(process: psutil.Process, mark: str) -> bool:
    """By its command line, by the folder it works in, or by its environment."""
    said = [*_of(process.cmdline, []), _of(process.cwd, ""), *_of(process.environ, {}).values()]
    return any(mark in text for text in said)


def _of(ask: Callable[[], Any], otherwise: Any) -> Any:
    """What a process says of itself; it may be gone, a zombie, or not ours to ask."""
    with contextlib.suppress(psutil.Error, OSError):
        return ask()
    return otherwise


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {_toml(member)}" for name, member in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else f'"{value}"'
