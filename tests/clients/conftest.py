"""One server for all tests of a worker, generous with vCPUs so that jobs which wait for each other all run."""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.server_process import ServerProcess
from tests.clients.yard import ANSWERED, Gate, Yard
from tests.executors.images import storage

__all__ = ["gate", "server", "shared_yard", "shows_what_it_says", "storage", "yard"]

FLAGS = ("--executor", "process", "--max-vcpus", "16", "--max-memory", "65536")

SHOWN = tomllib.loads((Path(__file__).parent / "operations.toml").read_text())


@pytest.fixture(autouse=True)
def shows_what_it_says(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that the table names calls, with success, each operation that it is said to show."""
    test = f"{request.path.name}::{getattr(request.node, 'originalname', request.node.name)}"
    ANSWERED.clear()
    yield
    wanted = {f"{service}.{name}" for service, tests in SHOWN.items() for name, each in tests.items() if each == test}
    assert wanted - ANSWERED == set(), f"{test} does not show what operations.toml says"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A running server; afterwards neither it nor its supervisor nor any job of it is left."""
    running = ServerProcess(tmp_path_factory.mktemp("server"), *FLAGS, settings={"stop_grace_seconds": 1.0})
    running.start()
    yield running
    running.end()


@pytest.fixture(scope="session")
def shared_yard(server: ServerProcess) -> Yard:
    """The clients of that server."""
    return Yard.at(server)


@pytest.fixture
def yard(shared_yard: Yard) -> Iterator[Yard]:
    """The same for one test, whose jobs have all ended when the next begins."""
    yield shared_yard
    shared_yard.clear()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    """Something for jobs to wait for; open at the end at the latest."""
    made = Gate(tmp_path)
    yield made
    made.open()
