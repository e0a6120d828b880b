"""The batch commands of AWS ParallelCluster: awsbsub, awsbstat, awsbout, awsbkill, awsbqueues, with a bucket in S3."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.installed_program import Program, installed
from tests.clients.s3_server import BUCKET, s3_server
from tests.clients.yard import Gate, Yard

pytestmark = [pytest.mark.process, pytest.mark.clients]

ROOM = {"vcpus": 1, "memory": 512}


@pytest.fixture
def s3_url(tmp_path: Path) -> Iterator[str]:
    with s3_server(tmp_path) as url:
        yield url


@pytest.fixture
def cluster(yard: Yard, tmp_path: Path, s3_url: str) -> Program:
    program = Program.of("parallelcluster", yard, tmp_path, AWS_ENDPOINT_URL_S3=s3_url)
    wanted = {
        "PATH": f"{installed('aws_cli') / 'bin'}:{program.environment['PATH']}",
        **{name: value for name, value in program.environment.items() if name.startswith("AWS_ENDPOINT_URL_")},
        **{name: program.environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")},
    }
    environment = [{"name": name, "value": value} for name, value in wanted.items()]
    definition = yard.define(["true"], container=ROOM | {"environment": environment})
    folder = tmp_path / ".parallelcluster"
    folder.mkdir()
    settings = {
        "region": "us-east-1",
        "s3_bucket": BUCKET,
        "artifact_directory": "artifacts",
        "batch_cli_requirements": "aws-parallelcluster-awsbatch-cli>=1.0.0",
        "compute_environment": "default",
        "job_queue": "default",
        "job_definition": definition,
        "head_node_ip": "127.0.0.1",
        "proxy": "NONE",
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    (folder / "awsbatch-cli.cfg").write_text("\n".join(["[main]", "cluster_name = yard", "", "[cluster yard]", *lines]))
    return program


def submitted(cluster: Program, yard: Yard, script: str, *words: str) -> str:
    """`awsbsub -cf SCRIPT`; returns the job's id, which stands in its answer."""
    (cluster.work / "job.sh").write_text(f"#!/bin/sh\n{script}\n")
    answer = cluster.run("awsbsub", "-jn", "hello", *words, "-cf", "job.sh", "one", "two")
    found = re.fullmatch(r"Job (\S+) \(hello\) has been submitted\.\n", answer)
    assert found, answer
    yard.submitted.append(found[1])
    return found[1]


def test_a_script_from_submission_to_output(cluster: Program, yard: Yard) -> None:
    job_id = submitted(cluster, yard, 'echo "hello $1 and $2"')
    job = yard.ended(job_id)
    assert job["status"] == "SUCCEEDED", yard.output(job)
    shown = cluster.run("awsbstat", job_id)
    assert re.search(r"^status +: SUCCEEDED$", shown, re.MULTILINE)
    assert re.search(r"^exitCode +: 0$", shown, re.MULTILINE)
    assert re.search(r"^\S+: hello one and two$", cluster.run("awsbout", job_id), re.MULTILINE)


def test_an_array_and_its_children(cluster: Program, yard: Yard) -> None:
    job_id = submitted(cluster, yard, "echo child $AWS_BATCH_JOB_ARRAY_INDEX", "-a", "2", "-p", "1", "-m", "256")
    yard.ended(job_id)
    shown = cluster.run("awsbstat", "-s", "ALL", job_id)
    assert [f"{job_id}:{index}" in shown for index in range(2)] == [True, True]
    assert "child 1" in cluster.run("awsbout", f"{job_id}:1")


def test_killing_with_a_reason(cluster: Program, yard: Yard, gate: Gate) -> None:
    job_id = submitted(cluster, yard, gate.script)
    yard.until(job_id, "RUNNING")
    assert f"termination request for job ({job_id})" in cluster.run("awsbkill", "-r", "enough", job_id)
    assert yard.ended(job_id)["statusReason"] == "enough"
    assert "is already in (FAILED) status" in cluster.run("awsbkill", job_id)


def test_the_queue_is_shown(cluster: Program) -> None:
    shown = cluster.run("awsbqueues")
    assert re.search(r"default +VALID", shown), shown
