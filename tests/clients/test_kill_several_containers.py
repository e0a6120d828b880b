"""kill -9 under jobs of several containers and of several nodes: nothing is lost, and nothing runs twice.

Every container appends `JOB CONTAINER ATTEMPT` to one file, the witness, when it starts, and writes the same into its
log, then `done` before it exits.
"""

import itertools
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.clients.server_process import ServerProcess, steady_port, wait_for
from tests.clients.yard import Detail, Gate, Yard

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]

SEED = 20181119
KILLS = 6
LOST = re.compile(r"Host EC2 \(instance i-[0-9a-f]{17}\) terminated\.")
WITNESS = 'said="$AWS_BATCH_JOB_ID {name} $AWS_BATCH_JOB_ATTEMPT"; echo "$said" >> "{file}"; echo "$said"; '

_numbers = itertools.count(1)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """A yard of its own, which may be killed."""
    flags = ("--executor", "process", "--max-vcpus", "24", "--max-memory", "65536")
    server = ServerProcess(tmp_path, *flags, settings={"stop_grace_seconds": 1.0})
    server.start(steady_port())
    yield Yard.at(server)
    server.end()


class Jobs:
    """Definitions whose containers bear witness; `wait` is what they wait for."""

    def __init__(self, yard: Yard, folder: Path, wait: str) -> None:
        self.witness = folder / "witness"
        self._yard = yard
        self._wait = wait

    def _container(self, name: str, exit_code: int) -> dict[str, Any]:
        script = WITNESS.format(name=name, file=self.witness) + f"{self._wait}; echo done; exit {exit_code}"
        return {
            "image": "busybox",
            "command": ["sh", "-c", script],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
        }

    def task(self) -> str:
        """Three containers: the second waits for the first, which fails with 3; the third decides, with 0."""
        first = self._container("first", 3) | {"name": "first", "essential": False}
        second = self._container("second", 4) | {"name": "second", "essential": False}
        last = self._container("last", 0) | {"name": "last"}
        second["dependsOn"] = [{"containerName": "first", "condition": "COMPLETE"}]
        last["dependsOn"] = [{"containerName": "second", "condition": "COMPLETE"}]
        return self._register("container", ecsProperties={"taskProperties": [{"containers": [first, second, last]}]})

    def nodes(self) -> str:
        """Four nodes, of which the main one waits a little longer than the others; each exits with 5, it with 0."""
        main = self._container("node", 0)
        main["command"][-1] = main["command"][-1].replace("; echo done", "; sleep 0.5; echo done")
        ranges = [
            {"targetNodes": "0:", "container": self._container("node", 5)},
            {"targetNodes": "2", "container": main},
        ]
        return self._register("multinode", nodeProperties={"numNodes": 4, "mainNode": 2, "nodeRangeProperties": ranges})

    def _register(self, kind: str, **members: Any) -> str:
        name = f"witness-{next(_numbers)}"
        self._yard.batch.register_job_definition(jobDefinitionName=name, type=kind, **members)
        return name

    def seen(self) -> list[str]:
        """What has started."""
        return self.witness.read_text().splitlines() if self.witness.exists() else []


def check_task(yard: Yard, job: Detail) -> list[str]:
    """Everything of it has ended as it does without disturbance; returns what its containers must have said."""
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 1)
    (task,) = job["attempts"][0]["taskProperties"]
    assert {each["name"]: each["exitCode"] for each in task["containers"]} == {"first": 3, "second": 4, "last": 0}
    said = [f"{job['jobId']} {each['name']} 1" for each in task["containers"]]
    for words, each in zip(said, task["containers"], strict=True):
        assert [event["message"] for event in yard.log_events(each["logStreamName"])] == [words, "done"]
    return said


def check_nodes(yard: Yard, job_id: str) -> list[str]:
    """As `check_task`, of the four nodes."""
    job, *nodes = yard.describe(job_id, *(f"{job_id}#{node}" for node in range(4)))
    assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 1)
    assert [node["attempts"][0]["container"]["exitCode"] for node in nodes] == [5, 5, 0, 5]
    said = [f"{job_id}#{node} node 1" for node in range(4)]
    assert [yard.log(node) for node in nodes] == [[words, "done"] for words in said]
    return said


def test_a_job_that_ends_while_there_is_no_server_is_taken_in_whole(yard: Yard, tmp_path: Path, gate: Gate) -> None:
    jobs = Jobs(yard, tmp_path, gate.script)
    task, nodes = yard.submit(jobs.task()), yard.submit(jobs.nodes())
    wait_for(lambda: len(jobs.seen()) == 5, "the first container and all nodes run")
    yard.server.kill()
    gate.open()
    wait_for(lambda: len(jobs.seen()) == 7, "what depends on others starts without a server")
    yard.server.start(yard.server.port)
    said = [*check_task(yard, yard.ended(task))]
    yard.ended(nodes)
    assert sorted(jobs.seen()) == sorted(said + check_nodes(yard, nodes))


def test_nothing_is_lost_and_no_container_runs_twice(yard: Yard, tmp_path: Path) -> None:
    jobs = Jobs(yard, tmp_path, "sleep 0.05")
    task, nodes, size = jobs.task(), jobs.nodes(), 40
    array = yard.submit(task, size=size)
    several = [yard.submit(nodes) for _ in range(10)]
    chance = random.Random(SEED)
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.0, 0.4))
        yard.server.kill()
        yard.server.start(yard.server.port)
    assert yard.ended(array, seconds=60)["status"] == "SUCCEEDED"
    said = [words for child in yard.children(array, size) for words in check_task(yard, child)]
    for job_id in several:
        yard.ended(job_id, seconds=60)
        said += check_nodes(yard, job_id)
    assert Counter(jobs.seen()) == Counter(said)


FIRST_ATTEMPT_STAYS = (
    '[ "$AWS_BATCH_JOB_ATTEMPT" = 1 ] || exit 0; setsid sh -c "trap : TERM HUP; sleep 613; sleep 613" & exec sleep 614'
)


def sleepers(yard: Yard) -> list[psutil.Process]:
    """What the first attempts have started."""
    commands = {process: process.cmdline() for process in yard.server.processes()}
    return [process for process, words in commands.items() if words[:1] == ["sleep"] or "613" in " ".join(words)]


def test_an_attempt_under_a_killed_supervisor_is_lost_as_a_whole(yard: Yard) -> None:
    container = {
        "image": "busybox",
        "command": ["sh", "-c", FIRST_ATTEMPT_STAYS],
        "environment": [{"name": "MARK", "value": str(yard.server.data)}],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
    }
    ranges = {"numNodes": 4, "mainNode": 0, "nodeRangeProperties": [{"targetNodes": "0:", "container": container}]}
    containers = [{**container, "name": name} for name in ("one", "two")]
    yard.batch.register_job_definition(jobDefinitionName="lost-nodes", type="multinode", nodeProperties=ranges)
    yard.batch.register_job_definition(
        jobDefinitionName="lost-task", type="container", ecsProperties={"taskProperties": [{"containers": containers}]}
    )
    twice: dict[str, Any] = {"retryStrategy": {"attempts": 2}}
    nodes, task, last = yard.submit("lost-nodes", **twice), yard.submit("lost-task", **twice), yard.submit("lost-task")
    left = wait_for(lambda: found if len(found := sleepers(yard)) == 3 * 8 else None, "all of the first attempts")
    for job_id in (nodes, task, last):
        yard.until(job_id, "RUNNING")

    yard.server.supervisor().kill()

    for job_id in (nodes, task):
        job = yard.ended(job_id)
        assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 2)
        assert LOST.fullmatch(job["attempts"][0]["statusReason"])
    for node in yard.describe(*(f"{nodes}#{node}" for node in range(4))):
        lost, ended = node["attempts"]
        assert "exitCode" not in lost["container"]
        assert ended["container"].get("exitCode") in (0, 143, None)
    for job, attempts in ((yard.job(task), 2), (yard.ended(last), 1)):
        assert len(job["attempts"]) == attempts
        assert not [c for c in job["attempts"][0]["taskProperties"][0]["containers"] if "exitCode" in c]
    assert not [p for p in left if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
