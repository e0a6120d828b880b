"""Snakemake with snakemake-executor-plugin-aws-basic-batch: a workflow of three jobs, with its files in S3."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.installed_program import Program
from tests.clients.s3_server import BUCKET, s3_server
from tests.clients.yard import Yard, client

pytestmark = [pytest.mark.process, pytest.mark.clients, pytest.mark.slow]


@pytest.fixture
def s3_url(tmp_path: Path) -> Iterator[str]:
    with s3_server(tmp_path) as url:
        yield url


def test_a_workflow(yard: Yard, tmp_path: Path, s3_url: str) -> None:
    workflow = tmp_path / "workflow"
    workflow.mkdir()
    shutil.copy(Path(__file__).with_name("Snakefile"), workflow)
    enter = tmp_path / "enter.sh"
    enter.write_text(f"cp -n {workflow}/Snakefile . || true\n")
    snakemake = Program.of("snakemake", yard, workflow)
    names = ("PATH", "HOME", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    environment = [{"name": name, "value": snakemake.environment[name]} for name in names]
    environment.append({"name": "BASH_ENV", "value": str(enter)})
    definition = yard.define(["true"], container={"environment": environment})
    storage = ("--default-storage-provider", "s3", "--default-storage-prefix", f"s3://{BUCKET}/run")
    storage += ("--storage-s3-endpoint-url", s3_url, "--storage-s3-access-key", "any", "--storage-s3-secret-key", "any")
    batch = ("--executor", "aws-basic-batch", "--aws-basic-batch-region", "us-east-1")
    batch += ("--aws-basic-batch-job-queue", "default", "--aws-basic-batch-job-definition", definition)
    snakemake.run("snakemake", "--jobs", "4", "--snakefile", "Snakefile", *batch, *storage)
    s3 = client("s3", s3_url, s3={"addressing_style": "path"})
    lines = s3.get_object(Bucket=BUCKET, Key="run/total.txt")["Body"].read().decode().split()
    assert (lines[0], lines[2]) == ("5", "2")
    assert [job["status"] for job in yard.describe(lines[1], lines[3])] == ["SUCCEEDED", "SUCCEEDED"]
