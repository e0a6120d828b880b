"""A server that is stopped and started again: jobs run on without it, and it learns how they ended."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.server_process import ServerProcess, steady_port, wait_for
from tests.clients.yard import Gate, Yard

pytestmark = pytest.mark.process


@pytest.fixture
def own_yard(tmp_path: Path) -> Iterator[Yard]:
    """A yard that a test may stop and start."""
    server = ServerProcess(tmp_path, "--executor", "process", "--max-vcpus", "4")
    server.start(steady_port())
    yield Yard.at(server)
    server.end()


def test_jobs_run_on_while_the_server_is_away(own_yard: Yard, gate: Gate, tmp_path: Path) -> None:
    yard, server = own_yard, own_yard.server
    done = tmp_path / "done"
    ending = yard.shell(f'echo before; {gate.script}; echo after; touch "$1"; exit 3', done)
    staying = yard.submit(["sleep", "600"])
    waiting = yard.submit(["true"], dependsOn=[{"jobId": ending}])
    array = yard.submit(["sleep", "600"], size=1000)
    yard.until(ending, "RUNNING")
    yard.until(staying, "RUNNING")

    assert server.terminate() == 0
    gate.open()
    wait_for(done.exists, "the job's end, with nobody serving")
    server.start(server.port)

    ended = yard.ended(ending)
    assert (ended["status"], ended["container"]["exitCode"], len(ended["attempts"])) == ("FAILED", 3, 1)
    assert yard.log(ended) == ["before", "after"]
    assert yard.ended(waiting)["statusReason"] == "Dependent Job failed"
    still = yard.job(staying)
    assert (still["status"], still["attempts"]) == ("RUNNING", [])
    assert yard.job(array)["status"] == "PENDING"
    yard.batch.terminate_job(jobId=array, reason="enough")
    yard.batch.terminate_job(jobId=staying, reason="enough")
    assert yard.ended(staying)["statusReason"] == "enough"
    assert yard.ended(array)["arrayProperties"]["statusSummary"]["FAILED"] == 1000


def test_pages_and_logs_go_on_after_a_restart(own_yard: Yard) -> None:
    yard, server = own_yard, own_yard.server
    job = yard.run(["seq", "6"])
    array = yard.run(["true"], size=5)["jobId"]
    request = {"arrayJobId": array, "jobStatus": "SUCCEEDED", "maxResults": 3}
    first = yard.batch.list_jobs(**request)
    stream = {"logGroupName": "/aws/batch/job", "logStreamName": job["container"]["logStreamName"]}
    page = yard.logs.get_log_events(**stream, startFromHead=True, limit=4)

    server.kill()
    server.start(server.port)

    second = yard.batch.list_jobs(**request, nextToken=first["nextToken"])
    assert [job["arrayProperties"]["index"] for job in second["jobSummaryList"]] == [3, 4]
    rest = yard.logs.get_log_events(**stream, startFromHead=True, nextToken=page["nextForwardToken"])
    assert [event["message"] for event in rest["events"]] == ["5", "6"]


def test_a_data_folder_has_one_server(own_yard: Yard) -> None:
    command = [sys.executable, "-m", "batchyard", "serve", "--port", "0", "--data", str(own_yard.server.data)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert second.returncode != 0
    assert "Another batchyard serves the data folder" in second.stdout + second.stderr
    assert own_yard.run(["true"])["status"] == "SUCCEEDED"
