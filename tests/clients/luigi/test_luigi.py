"""Luigi's BatchTask under Luigi's own scheduler: it finds a queue, submits, polls, and shows the log of a failure."""

import shutil
from pathlib import Path

import pytest

from tests.clients.installed_program import Program
from tests.clients.yard import Yard

pytestmark = [pytest.mark.process, pytest.mark.clients]

LUIGI = ("python", "-m", "luigi", "--module", "tasks", "--local-scheduler")


@pytest.fixture
def luigi(yard: Yard, tmp_path: Path) -> Program:
    shutil.copy(Path(__file__).with_name("tasks.py"), tmp_path)
    return Program.of("luigi", yard, tmp_path, PYTHONPATH=str(tmp_path))


def test_a_pipeline_of_two_jobs(luigi: Program, yard: Yard) -> None:
    copy = ["sh", "-c", 'cat "$2" > "$1"; echo "$AWS_BATCH_JQ_NAME" >> "$1"', "sh", "Ref::target", "Ref::source"]
    definition = yard.define(copy)
    first, second = luigi.work / "first", luigi.work / "second"
    words = ("--job-definition", definition, "--job-queue", "default", "--source", first, "--target", second)
    luigi.run(*LUIGI, "Pipeline", *words)
    assert first.read_text() == "default\n"
    assert second.read_text() == "default\ndefault\n"


def test_without_a_queue_it_takes_the_first_that_is_valid(luigi: Program, yard: Yard) -> None:
    definition = yard.define(["sh", "-c", 'echo "$AWS_BATCH_JQ_NAME" > "$1"', "sh", "Ref::target"])
    target = luigi.work / "target"
    luigi.run(*LUIGI, "Job", "--job-definition", definition, "--target", target)
    assert target.read_text() == "default\n"


def test_a_failure_shows_the_last_lines_of_the_log(luigi: Program, yard: Yard) -> None:
    definition = yard.define(["sh", "-c", "echo what went wrong; exit 3"])
    words = ("--job-definition", definition, "--job-queue", "default", "--target", luigi.work / "never")
    failed = luigi.attempt(*LUIGI, "Job", *words)
    assert "BatchJobException" in failed.stderr
    assert "failed: what went wrong" in failed.stderr
