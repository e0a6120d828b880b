"""`batchyard events`."""

import json
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.clients.server_process import ServerProcess, steady_port

pytestmark = pytest.mark.process


def test_what_has_happened_is_printed(batchyard: Terminal) -> None:
    job_id = batchyard("submit", "--name", "told", "--", "sh", "-c", "exit 3").job_id
    batchyard("watch", job_id)
    lines = batchyard("events", "--job", job_id).output.splitlines()
    assert [line.split()[2:5] for line in lines][:2] == [[job_id, "told", "RUNNABLE"], [job_id, "told", "STARTING"]]
    assert lines[-1].endswith("FAILED     Essential container in task exited")
    last_but_one = lines[-2].split()[0]
    (ended,) = batchyard("events", "--job", job_id, "--after", last_but_one, "-o", "json").output.splitlines()
    assert json.loads(ended)["detail"]["container"]["exitCode"] == 3
    (of_status,) = batchyard("events", "--status", "FAILED", "--job", "told").output.splitlines()
    assert of_status == lines[-1]


def test_a_follower_sees_what_happens(batchyard: Terminal) -> None:
    batchyard("watch", batchyard("submit", "--", "true").job_id)
    beginning = batchyard("events").output.splitlines()[-1].split()[0]
    follower = batchyard.start("events", "-f", "--after", beginning, "--queue", "default")
    try:
        job_id = batchyard("submit", "--", "true").job_id
        assert follower.stdout is not None
        for line in follower.stdout:
            assert line.split()[2] == job_id
            if "SUCCEEDED" in line:
                break
    finally:
        follower.terminate()
        follower.communicate()


def test_what_cannot_be_is_said(batchyard: Terminal) -> None:
    refused = batchyard("events", "--status", "DONE")
    assert (refused.exit_code, refused.output) == (2, "")
    assert "'DONE' is no status of a job" in refused.errors
    aws = batchyard("events", "--endpoint-url", "https://batch.us-east-1.amazonaws.com")
    assert "EventBridge" in aws.errors
    nobody = batchyard("events", "--endpoint-url", "http://127.0.0.1:1")
    assert nobody.exit_code == 2


def test_a_follower_outlives_the_server(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.start(steady_port())
    batchyard = Terminal(server.url)
    follower = batchyard.start("events", "-f", "--after", "0", "--status", "SUCCEEDED")
    try:
        assert follower.stdout is not None
        for is_first in (True, False):
            job_id = batchyard("submit", "--", "true").job_id
            assert follower.stdout.readline().split()[2] == job_id
            if is_first:
                server.kill()
                server.start(server.port)
    finally:
        follower.terminate()
        follower.communicate()
        server.end()
