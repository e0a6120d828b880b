"""A real server process for the tests of the HTTP edge."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchyard.server.connection import REQUEST_SECONDS_MAX

SERVER = Path(__file__).with_name("serve_echo.py")


class EchoServer:
    """The process, its port, and what it wrote to its error log so far."""

    def __init__(self, log: Path, *, patience_seconds: float = REQUEST_SECONDS_MAX) -> None:
        self._log = log
        program = [sys.executable, str(SERVER), str(patience_seconds)]
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=stderr, text=True)
        assert self.process.stdout is not None
        self.stdout = self.process.stdout
        self.port = int(self.stdout.readline())

    @property
    def log(self) -> str:
        return self._log.read_text()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.stdout.close()


@pytest.fixture(scope="module")
def echo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoServer]:
    server = EchoServer(tmp_path_factory.mktemp("echo") / "log")
    yield server
    server.end()
