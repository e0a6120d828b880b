"""Commands about jobs of several containers and of several nodes."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.terminal import Terminal
from tests.clients.server_process import ServerProcess
from tests.clients.yard import Yard

pytestmark = pytest.mark.process

_numbers = itertools.count(1)
NEEDS = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]


@pytest.fixture
def yard(server: ServerProcess) -> Iterator[Yard]:
    made = Yard.at(server)
    yield made
    made.clear()


def part(name: str, script: str, **members: Any) -> dict[str, Any]:
    command = ["sh", "-c", script]
    return {"name": name, "image": "i", "command": command, "resourceRequirements": NEEDS, **members}


def submit(yard: Yard, kind: str, members: dict[str, Any], **request: Any) -> str:
    name = f"several-{next(_numbers)}"
    yard.batch.register_job_definition(jobDefinitionName=name, type=kind, **members)
    return yard.submit(name, **request)


def task(yard: Yard, *containers: dict[str, Any], **request: Any) -> str:
    return submit(yard, "container", {"ecsProperties": {"taskProperties": [{"containers": containers}]}}, **request)


def pod(yard: Yard, **scripts: str) -> str:
    resources = {"limits": {"cpu": "1", "memory": "64Mi"}}
    containers = [
        {"name": name, "image": "i", "command": ["sh", "-c"], "args": [script], "resources": resources}
        for name, script in scripts.items()
    ]
    init = {**containers[0], "name": "init", "args": ["echo prepared"]}
    properties = {"containers": containers, "initContainers": [init]}
    return submit(yard, "container", {"eksProperties": {"podProperties": properties}})


def nodes(yard: Yard, script: str, number: int = 3) -> str:
    container = {"image": "i", "command": ["sh", "-c", script], "resourceRequirements": NEEDS}
    ranges = [{"targetNodes": "0:", "container": container}]
    properties = {"numNodes": number, "mainNode": 1, "nodeRangeProperties": ranges}
    return submit(yard, "multinode", {"nodeProperties": properties})


def test_logs_of_a_task_name_the_container_before_each_line(yard: Yard, batchyard: Terminal) -> None:
    job_id = task(yard, part("app", "sleep 0.3; echo last"), part("side", "echo first; sleep 9", essential=False))
    assert batchyard("watch", job_id).exit_code == 0
    assert batchyard("logs", job_id).output == "side | first\napp | last\n"
    assert batchyard("logs", job_id, "--container", "app").output == "last\n"
    events = [json.loads(line) for line in batchyard("logs", job_id, "-o", "json").output.splitlines()]
    assert [(event["container"], event["message"]) for event in events] == [("side", "first"), ("app", "last")]
    refused = batchyard("logs", job_id, "-c", "nobody")
    assert refused.exit_code == 2
    assert "Its containers: app, side." in refused.errors


def test_logs_follow_all_containers_through_all_attempts(yard: Yard, batchyard: Terminal) -> None:
    script = 'sleep 0.3; echo "try $AWS_BATCH_JOB_ATTEMPT"; [ "$AWS_BATCH_JOB_ATTEMPT" = 2 ]'
    side = part("side", "echo here; exec sleep 9", essential=False)
    job_id = task(yard, part("app", script), side, retryStrategy={"attempts": 2})
    followed = batchyard("logs", "-f", "--attempt", "1", job_id)
    assert followed.exit_code == 0
    assert followed.output.splitlines() == ["side | here", "app | try 1", "side | here", "app | try 2"]
    assert "attempt 2" in followed.errors
    assert batchyard("logs", job_id, "--attempt", "1", "-c", "app").output == "try 1\n"


def test_logs_of_a_pod_are_found_though_no_stream_is_told(yard: Yard, batchyard: Terminal) -> None:
    job_id = pod(yard, one="echo from one", two="sleep 0.2; echo from two")
    followed = batchyard("logs", "-f", job_id)
    assert followed.output.splitlines() == ["init | prepared", "one | from one", "two | from two"]
    assert batchyard("logs", job_id, "-c", "two").output == "from two\n"


def test_logs_of_nodes(yard: Yard, batchyard: Terminal) -> None:
    job_id = nodes(yard, 'echo "node $AWS_BATCH_JOB_NODE_INDEX"; sleep 0.3')
    followed = batchyard("logs", "-f", job_id)
    assert followed.output == "node 1\n"
    assert f"{job_id}#1" in followed.errors
    assert batchyard("watch", job_id).exit_code == 0
    assert batchyard("logs", f"{job_id}#2").output == "node 2\n"
    assert batchyard("logs", job_id).output == "node 1\n"


def test_a_failed_task_says_which_container_it_was(yard: Yard, batchyard: Terminal) -> None:
    waiting = [{"containerName": "bad", "condition": "START"}]
    job_id = task(yard, part("app", "exec sleep 100", dependsOn=waiting), part("bad", "sleep 0.2; exit 7"))
    watched = batchyard("watch", job_id)
    assert watched.exit_code == 1
    assert "container bad: exit code 7" in watched.errors
    assert "container app" not in watched.errors
    why = batchyard("why", job_id).output
    assert "Container bad: exit code 7." in why
    assert f"batchyard logs {job_id}" in why
    described = batchyard("describe", job_id).output
    assert "2 vCPU, 128 MiB" in described
    rows = [line.strip("│ ").split() for line in described.splitlines()]
    assert ["1", "bad", "7"] in [row[:3] for row in rows]
    assert ["app", "143"] in [row[:2] for row in rows]


def test_a_failed_pod_says_which_container_it_was(yard: Yard, batchyard: Terminal) -> None:
    job_id = pod(yard, good="true", bad="exit 9")
    assert "container bad: exit code 9" in batchyard("watch", job_id).errors
    assert "Container bad: exit code 9." in batchyard("why", job_id).output
    assert "init" in batchyard("describe", job_id).output


def test_nodes_are_listed_and_described(yard: Yard, batchyard: Terminal) -> None:
    job_id = nodes(yard, '[ "$AWS_BATCH_JOB_NODE_INDEX" != 1 ] || { sleep 0.4; exit 5; }; exec sleep 100')
    assert "exit code 5" in batchyard("watch", job_id).errors
    listed = [line.split()[:3] for line in batchyard("ls", job_id).output.splitlines()]
    assert listed[1:] == [["0", "FAILED", "143"], ["1", "FAILED", "5"], ["2", "FAILED", "143"]]
    assert "Exit code 5." in batchyard("why", job_id).output
    described = batchyard("describe", job_id).output
    assert "main node" in described
    assert "3 vCPU, 192 MiB" in described
    assert described.count(" 127.") == 3
    assert batchyard("describe", f"{job_id}#2").exit_code == 0


def test_a_node_cannot_be_ended_by_itself(yard: Yard, batchyard: Terminal) -> None:
    job_id = nodes(yard, "exec sleep 100", 2)
    yard.until(job_id, "RUNNING")
    refused = batchyard("terminate", f"{job_id}#0")
    assert refused.exit_code != 0
    assert f"its job is {job_id}" in refused.errors
    assert batchyard("terminate", job_id).exit_code == 0
    assert yard.ended(job_id)["status"] == "FAILED"


def test_a_task_that_waits_says_what_it_needs_in_all(yard: Yard, batchyard: Terminal) -> None:
    wide = [{"type": "VCPU", "value": "3"}, {"type": "MEMORY", "value": "64"}]
    running = task(yard, part("app", "exec sleep 100"), part("other", "exec sleep 100"))
    yard.until(running, "RUNNING")
    waiting = task(yard, {**part("app", "true"), "resourceRequirements": wide})
    yard.until(waiting, "RUNNABLE")
    why = batchyard("why", waiting).output
    assert "it needs 3 vCPUs" in why
    assert "holds 2 vCPUs" in why
