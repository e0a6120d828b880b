"""kill -9 at random instants, and then of the supervisor too: nothing acknowledged is lost, no attempt runs twice.

Every attempt of every job appends `JOB ATTEMPT` to one file, the witness, and prints the same. What the server says at
the end is held against what the witness saw.
"""

import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import EndpointConnectionError, HTTPClientError

from tests.clients.server_process import ServerProcess, steady_port, wait_for
from tests.clients.yard import LOG_GROUP, Detail, Yard, client

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(240)]

SEED = 20171129
KILLS = 20
SIZE = 500
ATTEMPT = "$AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ATTEMPT"
WITNESS = f'echo "{ATTEMPT}" >> "$1"; echo "{ATTEMPT}"; '
CHILD = WITNESS + "sleep 0.04; [ $((AWS_BATCH_JOB_ARRAY_INDEX % 7)) != 0 ] || exit $((3 * (2 - AWS_BATCH_JOB_ATTEMPT)))"
EXITED = "Essential container in task exited"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def yard(folder: Path) -> Iterator[Yard]:
    """A yard of its own, whose clients do not try again by themselves."""
    flags = ("--executor", "process", "--max-vcpus", "8", "--max-memory", "65536")
    server = ServerProcess(folder, *flags, settings={"stop_grace_seconds": 1.0})
    server.start(steady_port())
    once = {"retries": {"mode": "standard", "max_attempts": 0}, "read_timeout": 20}
    yield Yard(server, client("batch", server.url, **once), client("logs", server.url, **once))
    server.end()


class Stream:
    """Submits single jobs one after the other, and terminates every tenth; keeps what was acknowledged."""

    def __init__(self, yard: Yard, witness: Path) -> None:
        self._yard = yard
        self._single = yard.define(["sh", "-c", WITNESS + "exit 5", "sh", str(witness)])
        self._endless = yard.define(["sh", "-c", WITNESS + "exec sleep 600", "sh", str(witness)])
        self.singles: list[str] = []
        self.endless: list[str] = []
        self.terminated: set[str] = set()

    def submit_until_it_dies(self) -> None:
        """Go on until the server is gone. What a request in flight did is unknown, so it counts for nothing."""
        try:
            while True:
                self._one_round()
        except (EndpointConnectionError, HTTPClientError):
            return

    def _one_round(self) -> None:
        for job_id in sorted(set(self.endless) - self.terminated):
            self._yard.batch.terminate_job(jobId=job_id, reason="stop it")
            self.terminated.add(job_id)
        for _ in range(9):
            self.singles.append(self._yard.submit(self._single))
        self.endless.append(self._yard.submit(self._endless))
        recent = [*self.singles[-40:], *self.endless[-10:]]
        answer = self._yard.batch.describe_jobs(jobs=recent)
        if "jobs" in answer:  # botocore takes an answer that was cut short for an empty one
            assert len(answer["jobs"]) == len(recent)

    def finish(self) -> None:
        """Terminate what no acknowledged request has terminated."""
        for job_id in set(self.endless) - self.terminated:
            self._yard.batch.terminate_job(jobId=job_id, reason="stop it")


def kill_again_and_again(yard: Yard, stream: Stream) -> None:
    """Kill the server at random instants of its life, its start included, and start it again on the same port."""
    chance = random.Random(SEED)
    server, port = yard.server, yard.server.port
    for number in range(KILLS):
        killer = threading.Timer(chance.uniform(0.0, 0.7), server.kill)
        if number % 5 == 4:
            server.kill()
            server.launch(port)
            killer.start()
        else:
            killer.start()
            stream.submit_until_it_dies()
        killer.join()
        server.start(port)


def everything(yard: Yard, job_ids: list[str]) -> list[Detail]:
    """DescribeJobs of any number of jobs."""
    return [job for start in range(0, len(job_ids), 100) for job in yard.describe(*job_ids[start : start + 100])]


def logs(yard: Yard) -> dict[str, list[str]]:
    """What every attempt wrote, by the name of its stream."""
    found: dict[str, list[str]] = {}
    for page in yard.logs.get_paginator("filter_log_events").paginate(logGroupName=LOG_GROUP):
        for event in page["events"]:
            found.setdefault(event["logStreamName"], []).append(event["message"])
    return found


def exit_codes(job: Detail) -> list[int]:
    return [attempt["container"]["exitCode"] for attempt in job["attempts"]]


def test_nothing_acknowledged_is_lost_and_no_attempt_runs_twice(yard: Yard, folder: Path) -> None:
    witness = folder / "witness"
    definition = yard.define(["sh", "-c", CHILD, "sh", str(witness)])
    array = yard.submit(definition, size=SIZE, retryStrategy={"attempts": 3})
    plain = yard.define(["sh", "-c", WITNESS, "sh", str(witness)])
    follower = yard.submit(plain, size=SIZE, dependsOn=[{"jobId": array, "type": "N_TO_N"}])
    stream = Stream(yard, witness)

    kill_again_and_again(yard, stream)
    stream.finish()
    assert yard.ended(array, seconds=60)["status"] == "SUCCEEDED"
    assert yard.ended(follower, seconds=60)["status"] == "SUCCEEDED"
    acknowledged = [*stream.singles, *stream.endless]
    wait_for(
        lambda: all(job["status"] in ("SUCCEEDED", "FAILED") for job in everything(yard, acknowledged)),
        "the end of every job that was acknowledged",
        60,
    )

    ran = Counter(witness.read_text().splitlines())
    assert not [line for line, times in ran.items() if times > 1], "attempts that ran twice"
    written = logs(yard)
    children = everything(yard, [f"{array}:{index}" for index in range(SIZE)])
    followers = everything(yard, [f"{follower}:{index}" for index in range(SIZE)])
    for index, (child, its_follower) in enumerate(zip(children, followers, strict=True)):
        assert exit_codes(child) == ([3, 0] if index % 7 == 0 else [0])
        assert exit_codes(its_follower) == [0]
        assert child["stoppedAt"] <= its_follower["startedAt"]
    singles = everything(yard, stream.singles)
    assert [exit_codes(job) for job in singles] == [[5]] * len(singles)
    for job in [*children, *followers, *singles]:
        assert job["statusReason"] == EXITED
        for number, attempt in enumerate(job["attempts"], 1):
            line = f"{job['jobId']} {number}"
            assert ran[line] == 1, f"{line} never ran"
            assert written[attempt["container"]["logStreamName"]] == [line]
    for job in everything(yard, stream.endless):
        assert (job["status"], job["statusReason"]) == ("FAILED", "stop it")
        assert len(job["attempts"]) <= 1


LOST = re.compile(r"Host EC2 \(instance i-[0-9a-f]{17}\) terminated\.")
FIRST_ATTEMPT_STAYS = (
    '[ "$AWS_BATCH_JOB_ATTEMPT" = 1 ] || exit 0; setsid sh -c "trap : TERM HUP; sleep 611; sleep 611" & exec sleep 612'
)


def running(yard: Yard, word: str) -> list[psutil.Process]:
    """Processes of jobs with this word in their command."""
    return [process for process in yard.server.processes() if word in " ".join(process.cmdline())]


@pytest.mark.parametrize("and_the_server", [False, True], ids=["supervisor", "supervisor-and-server"])
def test_what_ran_under_a_killed_supervisor_is_lost_and_retried(yard: Yard, and_the_server: bool) -> None:
    mark = {"environment": [{"name": "MARK", "value": str(yard.server.data)}]}
    retried = yard.submit(
        ["sh", "-c", FIRST_ATTEMPT_STAYS], containerOverrides=mark, retryStrategy={"attempts": 2}, size=2
    )
    spot_rule = [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}]
    by_rule = yard.submit(
        ["sh", "-c", FIRST_ATTEMPT_STAYS],
        containerOverrides=mark,
        retryStrategy={"attempts": 5, "evaluateOnExit": spot_rule},
    )
    last = yard.submit(["sh", "-c", FIRST_ATTEMPT_STAYS], containerOverrides=mark)
    for job_id in (f"{retried}:0", f"{retried}:1", by_rule, last):
        yard.until(job_id, "RUNNING")
    sleepers = wait_for(lambda: found if len(found := running(yard, "611")) == 8 else None, "their grandchildren")
    sleepers += running(yard, "612")

    supervisor = yard.server.supervisor()
    if and_the_server:
        yard.server.kill()
    supervisor.kill()
    if and_the_server:
        yard.server.start(yard.server.port)

    for job_id in (f"{retried}:0", f"{retried}:1", by_rule):
        job = yard.ended(job_id)
        assert (job["status"], len(job["attempts"])) == ("SUCCEEDED", 2)
        assert "exitCode" not in job["attempts"][0]["container"]
        assert LOST.fullmatch(job["attempts"][0]["statusReason"])
        assert job["container"]["exitCode"] == 0
    ended = yard.ended(last)
    assert (ended["status"], len(ended["attempts"])) == ("FAILED", 1)
    assert LOST.fullmatch(ended["statusReason"])
    assert not [process for process in sleepers if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert yard.ended(retried)["status"] == "SUCCEEDED"
