"""The podman executor against a real podman."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchyard.containers.finding import find_engine
from batchyard.server.choice_of_executor import choose_executor
from batchyard.server.configuration import Configuration
from tests.clients.server_process import ServerProcess, steady_port, wait_for
from tests.clients.yard import client
from tests.executors.conformance import Host
from tests.executors.engine_suite import EngineSuite, EngineTaskSuite
from tests.executors.engines import IMAGE, OwnEngine, executor, own_engine

pytestmark = pytest.mark.process

SIZE = 8
KILLS = 3


@pytest.fixture(scope="module")
def engine() -> Iterator[OwnEngine]:
    yield from own_engine("podman")


@pytest.fixture
def host(engine: OwnEngine, tmp_path: Path) -> Iterator[Host]:
    data = tmp_path / "data"
    host = Host(data, lambda: executor(engine, data, tmp_path))
    yield host
    host.close()


class TestPodman(EngineSuite, EngineTaskSuite):
    """The contract and what containers add to it."""


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_server_killed_again_and_again_loses_and_doubles_nothing(
    engine: OwnEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINER_HOST", engine.address)
    others = set(engine.names_with("batchyard-"))
    server = ServerProcess(tmp_path, "--executor", "podman", "--max-vcpus", "4", "--max-memory", "65536")
    server.start(steady_port())
    batch, logs = client("batch", server.url), client("logs", server.url)
    witness = tmp_path / "witness"
    index = "$AWS_BATCH_JOB_ARRAY_INDEX"
    script = f"echo {index} >>{witness}; echo out; sleep 0.4; echo done; exit $(({index} % 3))"
    volume = {"name": "shared", "host": {"sourcePath": str(tmp_path)}}
    batch.register_job_definition(
        jobDefinitionName="witness",
        type="container",
        containerProperties={
            "image": IMAGE,
            "command": ["sh", "-c", script],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "32"}],
            "volumes": [volume],
            "mountPoints": [{"sourceVolume": "shared", "containerPath": str(tmp_path)}],
        },
    )
    submitted = batch.submit_job(
        jobName="killed", jobQueue="default", jobDefinition="witness", arrayProperties={"size": SIZE}
    )
    job_id = submitted["jobId"]
    for _ in range(KILLS):
        time.sleep(random.uniform(0.2, 1.5))
        server.kill()
        server.start(server.port)

    def parent() -> str | None:
        status = batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"]
        return status if status in ("SUCCEEDED", "FAILED") else None

    wait_for(parent, "the array has ended", 150)
    children = batch.describe_jobs(jobs=[f"{job_id}:{index}" for index in range(SIZE)])["jobs"]
    assert [child["container"]["exitCode"] for child in children] == [index % 3 for index in range(SIZE)]
    assert sorted(map(int, witness.read_text().split())) == list(range(SIZE))
    for child in children:
        stream = child["container"]["logStreamName"]
        events = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream, startFromHead=True)["events"]
        assert [event["message"] for event in events] == ["out", "done"]
    own = set(engine.names_with("batchyard-")) - others
    wait_for(lambda: not own & set(engine.names_with("batchyard-")) or None, "no container is left behind", 30)
    server.end()


def test_auto_takes_podman_where_oci_cannot_work(
    engine: OwnEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CONTAINER_HOST", engine.address)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    if find_engine("docker") is not None:
        pytest.skip("docker answers on this machine, and is taken first")
    choice = choose_executor(Configuration(data=tmp_path, executor="auto"))
    assert choice.name == "podman"
    assert "not oci: crun is missing" in choice.why
