"""The docker executor against a real dockerd."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchyard.server.choice_of_executor import choose_executor
from batchyard.server.configuration import Configuration
from tests.executors.conformance import Host
from tests.executors.engine_suite import EngineSuite, EngineTaskSuite
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


class TestDocker(EngineSuite, EngineTaskSuite):
    """The contract and what containers add to it."""

    def last_line(self, text: bytes) -> bytes:
        return text + b"\n" if text else text


def test_auto_takes_docker_where_oci_cannot_work(
    engine: OwnEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    choice = choose_executor(Configuration(data=tmp_path, executor="auto"))
    assert choice.name == "docker"
    assert "not oci: crun is missing" in choice.why
