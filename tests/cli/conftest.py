"""A server for all tests of a worker, and a terminal that knows where it is."""

from collections.abc import Iterator

import pytest

from tests.cli.terminal import Terminal
from tests.clients.server_process import ServerProcess, wait_for

CAPACITY = ("--executor", "process", "--max-vcpus", "4", "--max-memory", "16384")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running server; afterwards nothing of it is left."""
    running = ServerProcess(tmp_path_factory.mktemp("cli"), *CAPACITY, settings={"stop_grace_seconds": 1.0})
    running.start()
    yield running
    running.end()


@pytest.fixture
def batchyard(server: ServerProcess) -> Iterator[Terminal]:
    """Runs commands against that server; no job is left to the next test."""
    terminal = Terminal(server.url)
    yield terminal
    if left := _live(terminal):
        terminal("terminate", *left)
        wait_for(lambda: not _live(terminal), "every job has ended")


def _live(terminal: Terminal) -> list[str]:
    return [job["jobId"] for job in terminal("ls", "-o", "json").json["jobSummaryList"]]
