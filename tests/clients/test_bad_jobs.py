"""Jobs that misbehave hurt only themselves: nothing of them is left, and what they wrote can be read."""

import random
from pathlib import Path

import psutil
import pytest

from batchyard.executors.control_groups import control_groups
from tests.clients.server_process import wait_for
from tests.clients.yard import LOG_GROUP, Yard

pytestmark = pytest.mark.process

EXITED = "Essential container in task exited"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


def marked(word: str) -> list[psutil.Process]:
    """The living processes that have this word in their command."""
    found = []
    for process in psutil.process_iter():
        try:
            if word in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


ESCAPING = """
setsid sh -c 'trap "" TERM HUP; sleep "$1"; :' sh "$1" &
setsid sh -c 'cd /; env -i setsid sleep "$1" & exit' sh "$1" &
(trap '' TERM HUP; sleep "$1"; :) &
exec sleep "$1"
"""


def test_terminating_leaves_no_process_in_whatever_session(yard: Yard) -> None:
    mark = "612.0771"
    job = yard.shell(ESCAPING, mark)
    yard.until(job, "RUNNING")
    wait_for(lambda: len([p for p in marked(mark) if p.name() == "sleep"]) == 4, "four sleepers")
    yard.batch.terminate_job(jobId=job, reason="stop it")
    ended = yard.ended(job)
    assert (ended["status"], ended["statusReason"]) == ("FAILED", "stop it")
    assert marked(mark) == []


def test_what_a_job_leaves_behind_when_it_exits_is_ended_too(yard: Yard) -> None:
    mark = "612.0772"
    script = 'setsid sh -c \'trap "" TERM HUP; sleep "$1"; :\' sh "$1" & sleep 0.1; exit 0'
    ended = yard.ended(yard.shell(script, mark))
    assert (ended["status"], ended["container"]["exitCode"]) == ("SUCCEEDED", 0)
    assert marked(mark) == []


@pytest.fixture
def enforces_memory(tmp_path: Path) -> None:
    """Skips where no control group that limits memory can be made."""
    groups = control_groups(tmp_path)
    unenforced = groups.unenforced
    groups.remove()
    if "memory" in unenforced:
        pytest.skip(unenforced["memory"])


HOG = "import os\nheld = []\nwhile True:\n    held.append(os.urandom(1 << 20))"


@pytest.mark.usefixtures("enforces_memory")
def test_a_memory_hog_is_killed_and_says_so(yard: Yard) -> None:
    job = yard.run(["python3", "-c", HOG], containerOverrides={"memory": 64})
    assert job["status"] == "FAILED"
    assert job["statusReason"] == EXITED
    assert job["container"]["exitCode"] == 137
    assert job["container"]["reason"] == OUT_OF_MEMORY
    assert job["attempts"][0]["container"]["reason"] == OUT_OF_MEMORY


@pytest.mark.usefixtures("enforces_memory")
def test_a_memory_hog_hurts_no_neighbour(yard: Yard) -> None:
    neighbour = yard.shell("sleep 0.5; echo fine")
    entries = [{"onReason": "OutOfMemoryError*", "action": "EXIT"}]
    hog = yard.run(
        ["python3", "-c", HOG],
        containerOverrides={"memory": 64},
        retryStrategy={"attempts": 3, "evaluateOnExit": entries},
    )
    assert len(hog["attempts"]) == 1
    assert yard.log(yard.ended(neighbour)) == ["fine"]


NOISE = "import random, sys; sys.stdout.buffer.write(random.Random({seed}).randbytes(10_000_000))"


def test_ten_megabytes_of_garbage_can_be_read_back_in_order(yard: Yard) -> None:
    job = yard.run(["python3", "-c", NOISE.format(seed=7)])
    assert job["status"] == "SUCCEEDED"
    events = list(yard.log_events(job["container"]["logStreamName"]))
    lines = [line.removesuffix(b"\r") for line in random.Random(7).randbytes(10_000_000).split(b"\n")]
    assert [event["message"] for event in events] == [line.decode("utf-8", "replace") for line in lines if line]
    times = [event["timestamp"] for event in events]
    assert times == sorted(times)
    assert job["startedAt"] <= times[0] <= times[-1] <= job["stoppedAt"]


def test_ten_megabytes_in_one_line_can_be_read_back(yard: Yard) -> None:
    words = "import random; print(random.Random(7).randbytes(5_000_000).hex(), end='')"
    job = yard.run(["python3", "-c", words])
    events = list(yard.log_events(job["container"]["logStreamName"]))
    assert max(len(event["message"]) for event in events) <= 262_144
    assert "".join(event["message"] for event in events) == random.Random(7).randbytes(5_000_000).hex()


def test_garbage_read_from_the_end_is_the_same(yard: Yard) -> None:
    job = yard.run(["python3", "-c", NOISE.format(seed=8).replace("10_000_000", "3_000_000")])
    stream = job["container"]["logStreamName"]
    forward = [event["message"] for event in yard.log_events(stream)]
    backward: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = yard.logs.get_log_events(logGroupName=LOG_GROUP, logStreamName=stream, **token)
        backward = [event["message"] for event in page["events"]] + backward
        if page["nextBackwardToken"] == token.get("nextToken"):
            break
        token = {"nextToken": page["nextBackwardToken"]}
    assert backward == forward


@pytest.mark.parametrize(
    ("command", "container", "reason"),
    [
        (["no-such-command"], {}, "no-such-command"),
        (["/no/such/path"], {}, "/no/such/path"),
        (["/etc/passwd"], {}, "/etc/passwd"),
        (["/"], {}, "/"),
        (["true"], {"user": "nobody-here"}, "nobody-here"),
        (["true"], {"user": "root:no-such-group"}, "no-such-group"),
        ([], {}, "no command"),
    ],
    ids=["unknown", "missing", "not-executable", "folder", "user", "group", "none"],
)
def test_what_cannot_start_says_why(yard: Yard, command: list[str], container: dict[str, str], reason: str) -> None:
    job = yard.run(yard.define(command, container=container))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert reason in job["container"]["reason"]
    assert "exitCode" not in job["container"]
    assert yard.run(["true"])["status"] == "SUCCEEDED"


@pytest.mark.parametrize(("signal", "exit_code"), [("KILL", 137), ("SEGV", 139), ("TERM", 143)])
def test_a_job_that_dies_of_a_signal(yard: Yard, signal: str, exit_code: int) -> None:
    job = yard.ended(yard.shell("kill -$1 $$", signal))
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", exit_code)
    assert "reason" not in job["container"]


def test_a_job_that_closes_its_output_and_one_that_gives_it_away(yard: Yard) -> None:
    closing = yard.shell("echo first; exec >&- 2>&-; sleep 0.2; exit 3")
    giving = yard.shell('setsid sh -c "sleep 0.05; echo from the child; sleep 600" & sleep 0.2; exit 4')
    assert yard.ended(closing)["container"]["exitCode"] == 3
    assert yard.log(yard.job(closing)) == ["first"]
    assert yard.ended(giving)["container"]["exitCode"] == 4
    assert yard.log(yard.job(giving)) == ["from the child"]


def test_a_fork_bomb_can_be_terminated(yard: Yard) -> None:
    mark = "612.0773"
    job = yard.shell('i=0; while [ $i -lt 200 ]; do setsid sleep "$1" & i=$((i + 1)); done; sleep "$1"', mark)
    wait_for(lambda: len(marked(mark)) >= 150, "a crowd")
    yard.batch.terminate_job(jobId=job, reason="enough")
    assert yard.ended(job)["statusReason"] == "enough"
    assert marked(mark) == []


def test_a_writer_without_end_slows_only_itself(yard: Yard) -> None:
    endless = yard.submit(["yes", "0123456789abcdef" * 8])
    yard.until(endless, "RUNNING")
    for _ in range(10):
        assert yard.ended(yard.submit(["true"]), seconds=5)["status"] == "SUCCEEDED"
    yard.batch.terminate_job(jobId=endless, reason="enough")
    assert yard.ended(endless)["statusReason"] == "enough"
