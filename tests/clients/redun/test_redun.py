"""redun's AWS Batch executor: tasks as single jobs and as an array, values in S3, and a failure with its cause."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.installed_program import Program, installed
from tests.clients.s3_server import BUCKET, s3_server
from tests.clients.yard import Yard

pytestmark = [pytest.mark.process, pytest.mark.clients, pytest.mark.slow]

CONFIGURATION = """\
[backend]
db_uri = sqlite:///redun.db

[executors.yard]
type = aws_batch
image = redun
queue = default
s3_scratch = s3://{bucket}/redun
aws_region = us-east-1
role = none
default_batch_tags = False
autocreate_job_def = False
job_def_name = {definition}
job_monitor_interval = 0.2
job_stale_time = 3
min_array_size = 3
"""


@pytest.fixture
def s3_url(tmp_path: Path) -> Iterator[str]:
    with s3_server(tmp_path) as url:
        yield url


@pytest.fixture
def redun(yard: Yard, tmp_path: Path, s3_url: str) -> Program:
    program = Program.of("redun", yard, tmp_path, AWS_ENDPOINT_URL_S3=s3_url, AWS_ENDPOINT_URL_STS=s3_url)
    wanted = {name: value for name, value in program.environment.items() if name.startswith("AWS_")}
    wanted["PATH"] = f"{program.environment['PATH']}:{installed('aws_cli') / 'bin'}"
    wanted["HOME"] = str(tmp_path)
    environment = [
        {"name": name, "value": value} for name, value in wanted.items() if name != "AWS_EC2_METADATA_DISABLED"
    ]
    definition = yard.define(["true"], container={"environment": environment})
    (tmp_path / ".redun").mkdir()
    settings = CONFIGURATION.format(bucket=BUCKET, definition=definition.partition(":")[0])
    (tmp_path / ".redun" / "redun.ini").write_text(settings)
    shutil.copy(Path(__file__).with_name("workflow.py"), tmp_path)
    return program


def test_tasks_become_jobs_and_an_array(redun: Program, yard: Yard) -> None:
    printed = redun.run("redun", "run", "workflow.py", "main")
    assert "[30, [0, b'script done\\n']]" in printed
    by_name = [{"name": "JOB_NAME", "values": ["redun-job-*"]}]
    jobs = yard.describe(*(job["jobId"] for job in yard.listed(jobQueue="default", filters=by_name)))
    assert {job["status"] for job in jobs} == {"SUCCEEDED"}
    assert [job["arrayProperties"]["size"] for job in jobs if "arrayProperties" in job] == [6]


def test_a_failure_is_raised_with_its_cause(redun: Program) -> None:
    failed = redun.attempt("redun", "run", "workflow.py", "fail")
    assert failed.returncode != 0
    assert "ValueError: what went wrong" in failed.stdout + failed.stderr
