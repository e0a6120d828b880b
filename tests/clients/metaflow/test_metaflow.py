"""Metaflow's `@batch`: a foreach of three, a join that is retried, artifacts in S3, credentials by the role of jobs."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.installed_program import Program
from tests.clients.s3_server import BUCKET, s3_server
from tests.clients.server_process import ServerProcess
from tests.clients.yard import Yard

pytestmark = [pytest.mark.process, pytest.mark.clients, pytest.mark.slow, pytest.mark.timeout(600)]

ROLES = '[roles.metaflow]\naccess_key_id = "AKIDMETAFLOW"\nsecret_access_key = "the secret of the role"\n'


@pytest.fixture
def role_yard(tmp_path: Path) -> Iterator[Yard]:
    config = tmp_path / "yard.toml"
    config.write_text(ROLES)
    config.chmod(0o600)
    server = ServerProcess(tmp_path, "--config", str(config), "--executor", "process", "--max-vcpus", "4")
    server.start()
    yield Yard.at(server)
    server.end()


@pytest.fixture
def s3_url(tmp_path: Path) -> Iterator[str]:
    with s3_server(tmp_path) as url:
        yield url


@pytest.fixture
def metaflow(role_yard: Yard, tmp_path: Path, s3_url: str) -> Program:
    work = tmp_path / "work"
    work.mkdir()
    shutil.copy(Path(__file__).with_name("flow.py"), work)
    return Program.of(
        "metaflow",
        role_yard,
        work,
        USERNAME="someone",
        METAFLOW_DEFAULT_DATASTORE="s3",
        METAFLOW_DEFAULT_METADATA="local",
        METAFLOW_DATASTORE_SYSROOT_S3=f"s3://{BUCKET}/metaflow",
        METAFLOW_S3_ENDPOINT_URL=s3_url,
        METAFLOW_BATCH_JOB_QUEUE="default",
        METAFLOW_ECS_S3_ACCESS_IAM_ROLE="arn:aws:iam::123456789012:role/metaflow",
        METAFLOW_SKIP_INSTALL_DEPENDENCIES="1",
    )


def test_a_flow(metaflow: Program, role_yard: Yard) -> None:
    printed = metaflow.run("python", "flow.py", "run", seconds=540)  # some twenty Pythons, four at a time
    said = re.search(r"the sum is 14, says (\S+)", printed)
    assert said
    assert role_yard.job(said[1])["status"] == "SUCCEEDED"
    jobs = role_yard.listed(jobQueue="default", filters=[{"name": "JOB_NAME", "values": ["someone-YardFlow-*"]}])
    outcomes = sorted((job["jobName"].split("-")[3], job["status"]) for job in jobs)
    assert outcomes == [("square", "SUCCEEDED")] * 3 + [("total", "FAILED"), ("total", "SUCCEEDED")]
    stream = role_yard.job(said[1])["container"]["logStreamName"]
    kept = {file.read_text() for file in metaflow.work.rglob("*.json")}
    assert any(stream in text for text in kept)
