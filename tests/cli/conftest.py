"""A server for all tests of a worker, and a terminal that knows where it is."""

from collections.abc import Iterator

import pytest

from tests.cli.terminal import Terminal
from tests.clients.server_process import ServerProcess

CAPACITY = ("--executor", "process", "--max-vcpus", "4", "--max-memory", "16384")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running server; afterwards nothing of it is left."""
    running = ServerProcess(tmp_path_factory.mktemp("cli"), *CAPACITY, settings={"stop_grace_seconds": 1.0})
    running.start()
    yield running
    running.end()


@pytest.fixture
def batchyard(server: ServerProcess) -> Terminal:
    """Runs commands against that server."""
    return Terminal(server.url)
