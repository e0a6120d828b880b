"""Snakemake with snakemake-executor-plugin-aws-batch: a job definition for each job, sources and files in S3."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.installed_program import Program
from tests.clients.s3_server import BUCKET, s3_server
from tests.clients.yard import Yard, client

pytestmark = [pytest.mark.process, pytest.mark.clients, pytest.mark.slow]

ROLE = "arn:aws:iam::123456789012:role/snakemake"
QUEUE = "arn:aws:batch:us-east-1:123456789012:job-queue/default"


@pytest.fixture
def s3_url(tmp_path: Path) -> Iterator[str]:
    with s3_server(tmp_path) as url:
        yield url


@pytest.fixture
def snakemake(yard: Yard, tmp_path: Path) -> Program:
    shutil.copy(Path(__file__).with_name("Snakefile"), tmp_path)
    return Program.of("snakemake_aws_batch", yard, tmp_path)


def arguments(s3_url: str) -> tuple[str, ...]:
    batch = ("--executor", "aws-batch", "--aws-batch-region", "us-east-1", "--aws-batch-job-queue", QUEUE)
    batch += ("--aws-batch-job-role", ROLE, "--precommand", "pip() { true; }")
    storage = ("--default-storage-provider", "s3", "--default-storage-prefix", f"s3://{BUCKET}/run")
    storage += ("--storage-s3-endpoint-url", s3_url, "--storage-s3-access-key", "any", "--storage-s3-secret-key", "any")
    passed = ("--envvars", "PATH", "HOME", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    return ("--jobs", "4", *batch, *storage, *passed)


def jobs_of(yard: Yard, rule: str) -> list[Any]:
    by_name = [{"name": "JOB_NAME", "values": [f"snakejob-{rule}-*"]}]
    return yard.describe(*(job["jobId"] for job in yard.listed(jobQueue="default", filters=by_name)))


def test_a_workflow(snakemake: Program, yard: Yard, s3_url: str) -> None:
    snakemake.run("snakemake", *arguments(s3_url))
    s3 = client("s3", s3_url, s3={"addressing_style": "path"})
    lines = s3.get_object(Bucket=BUCKET, Key="run/total.txt")["Body"].read().decode().split()
    assert (lines[0], lines[2]) == ("5", "2")
    assert [job["status"] for job in yard.describe(lines[1], lines[3])] == ["SUCCEEDED", "SUCCEEDED"]
    (total,) = (job for job in jobs_of(yard, "total") if job["container"].get("jobRoleArn") == ROLE)
    assert total["timeout"] == {"attemptDurationSeconds": 300}
    (definition,) = yard.batch.describe_job_definitions(jobDefinitions=[total["jobDefinition"]])["jobDefinitions"]
    assert definition["status"] == "INACTIVE"


def test_a_failure_is_said(snakemake: Program, yard: Yard, s3_url: str) -> None:
    failed = snakemake.attempt("snakemake", "broken.txt", *arguments(s3_url))
    assert failed.returncode != 0
    assert "AWS Batch job failed. Code: 1, Msg: Essential container in task exited." in failed.stdout + failed.stderr
