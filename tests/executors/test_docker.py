"""The docker executor against a real dockerd."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.conformance import Host
from tests.executors.engine_suite import EngineSuite
from tests.executors.engines import OwnEngine, executor, own_engine

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def engine() -> Iterator[OwnEngine]:
    yield from own_engine("docker")


@pytest.fixture
def host(engine: OwnEngine, tmp_path: Path) -> Iterator[Host]:
    data = tmp_path / "data"
    host = Host(data, lambda: executor(engine, data, tmp_path))
    yield host
    host.close()


class TestDocker(EngineSuite):
    """The contract and what containers add to it."""

    def last_line(self, text: bytes) -> bytes:
        return text + b"\n" if text else text
