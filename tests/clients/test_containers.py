"""Jobs in containers, from boto3 to the control groups: the oci executor under a whole server."""

import os
import random
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.server_process import ServerProcess, steady_port
from tests.clients.yard import Yard
from tests.executors.images import CONFIGURED, PLAIN

pytestmark = [pytest.mark.process, pytest.mark.timeout(240)]

SEED, KILLS, SIZE = 20171129, 10, 100


@pytest.fixture
def container_yard(tmp_path: Path, storage: Path) -> Iterator[Yard]:
    """A server that runs containers; nothing of it is left afterwards."""
    settings = {"stop_grace_seconds": 1.0, "volumes": {"fs-1": str(tmp_path / "shared")}}
    (tmp_path / "shared").mkdir()
    server = ServerProcess(
        tmp_path, "--executor", "oci", "--max-vcpus", "4", "--max-memory", "65536", settings=settings
    )
    server.start(steady_port())
    yield Yard.at(server)
    server.end()


def test_a_job_runs_in_the_image_it_names(container_yard: Yard, tmp_path: Path) -> None:
    yard = container_yard
    members = {
        "image": CONFIGURED,
        "mountPoints": [{"sourceVolume": "v", "containerPath": "/shared"}],
        "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
        "readonlyRootFilesystem": True,
        "user": "root",
    }
    script = "echo $GREETING $AWS_BATCH_JOB_ATTEMPT; pwd; touch /job/x || echo read-only; echo kept >/shared/file"
    job = yard.run(yard.define([script], container=members))
    assert (job["status"], job["container"]["exitCode"]) == ("SUCCEEDED", 0)
    lines = yard.log(job)
    assert (lines[:2], lines[-1]) == (["hello 1", "/job"], "read-only")
    assert (tmp_path / "shared" / "file").read_text() == "kept\n"
    assert yard.run(yard.define([], container={"image": CONFIGURED}))["status"] == "SUCCEEDED"


def test_what_cannot_start_says_why(container_yard: Yard) -> None:
    yard = container_yard
    for members, reason in (
        ({"image": "localhost:1/no/such"}, "CannotPullContainerError: "),
        ({"image": PLAIN}, "CannotStartContainerError: "),
        (
            {
                "image": PLAIN,
                "volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-2"}}],
                "mountPoints": [{"sourceVolume": "v", "containerPath": "/v"}],
            },
            "CannotCreateVolumeError: fs-2 ",
        ),
    ):
        job = yard.run(yard.define(["no-such-command"], container=members))
        assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
        assert job["container"]["reason"].startswith(reason)
        assert "exitCode" not in job["container"]


def test_too_much_memory_is_said_in_the_words_of_aws(container_yard: Yard) -> None:
    yard = container_yard
    job = yard.run(yard.define(["tail", "/dev/zero"], container={"image": PLAIN}))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Essential container in task exited")
    assert job["container"]["exitCode"] == 137
    assert job["container"]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


@pytest.mark.slow
def test_a_hundred_containers_survive_ten_kills_of_the_server(container_yard: Yard, tmp_path: Path) -> None:
    """Each appends to a witness that it ran, and prints it; a third of them fail with a code of their own."""
    yard = container_yard
    script = (
        "echo $AWS_BATCH_JOB_ARRAY_INDEX >>/shared/witness; echo child $AWS_BATCH_JOB_ARRAY_INDEX; sleep 0.2; "
        "exit $((AWS_BATCH_JOB_ARRAY_INDEX % 3))"
    )
    members = {
        "image": PLAIN,
        "mountPoints": [{"sourceVolume": "v", "containerPath": "/shared"}],
        "volumes": [{"name": "v", "host": {"sourcePath": str(tmp_path / "shared")}}],
    }
    array = yard.submit(yard.define(["sh", "-c", script], container=members), size=SIZE)
    chance, port = random.Random(SEED), yard.server.port
    for _ in range(KILLS):
        killer = threading.Timer(chance.uniform(0.0, 0.4), yard.server.kill)
        killer.start()
        killer.join()
        yard.server.start(port)
    assert yard.ended(array, seconds=120)["status"] == "FAILED"
    children = yard.children(array, SIZE)
    assert [child["container"]["exitCode"] for child in children] == [index % 3 for index in range(SIZE)]
    assert all(len(child["attempts"]) == 1 for child in children)
    assert [yard.log(child) for child in children] == [[f"child {index}"] for index in range(SIZE)]
    witness = Counter((tmp_path / "shared" / "witness").read_text().split())
    assert witness == Counter(map(str, range(SIZE)))
    scratch = yard.server.data / "scratch"
    assert all(not any(folder.iterdir()) for folder in scratch.iterdir() if not folder.name.startswith("removed"))
    assert os.fspath(yard.server.data) not in Path("/proc/self/mounts").read_text()
