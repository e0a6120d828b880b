"""The MPI example: Debian's Open MPI over four nodes, whose daemons run inside the nodes."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.server_process import ServerProcess
from tests.clients.yard import Yard
from tests.executors.engines import IMAGE, OwnEngine, own_engine
from tests.executors.images import PLAIN

PYTHON = "/usr/bin/python3"
SUBMIT = Path(__file__).parents[2] / "examples" / "mpi" / "submit.py"
NODES = 4


def what_is_missing() -> str:
    """What this machine lacks for the example; empty if nothing."""
    if shutil.which("mpirun") is None:
        return "Open MPI (Debian: openmpi-bin) is not installed"
    found = subprocess.run([PYTHON, "-c", "import mpi4py"], capture_output=True, check=False).returncode == 0
    return "" if found else f"mpi4py (Debian: python3-mpi4py) is not installed for {PYTHON}"


@pytest.mark.process
@pytest.mark.slow
def test_four_nodes_say_hello(yard: Yard) -> None:
    if missing := what_is_missing():
        pytest.skip(missing)
    command = [sys.executable, str(SUBMIT), "--nodes", str(NODES), "--endpoint-url", yard.server.url]
    job_id = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    yard.submitted.append(job_id)
    said_hello(yard, job_id)


@pytest.fixture(scope="module")
def engine() -> Iterator[OwnEngine]:
    """A podman of the tests' own."""
    yield from own_engine("podman")


def yard_of(executor: str, folder: Path) -> Iterator[Yard]:
    """A server whose jobs run in containers; nothing of it is left afterwards."""
    settings = {"stop_grace_seconds": 1.0}
    server = ServerProcess(folder, "--executor", executor, "--max-vcpus", "8", settings=settings)
    server.start()
    yield Yard.at(server)
    server.end()


@pytest.fixture
def oci_yard(tmp_path: Path, storage: Path) -> Iterator[Yard]:
    """A server whose containers are made without an engine."""
    yield from yard_of("oci", tmp_path)


@pytest.fixture
def podman_yard(tmp_path: Path, engine: OwnEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    """A server whose containers are podman's."""
    monkeypatch.setenv("CONTAINER_HOST", engine.address)
    yield from yard_of("podman", tmp_path)


@pytest.mark.process
@pytest.mark.slow
def test_four_nodes_in_containers_say_hello(oci_yard: Yard) -> None:
    four_nodes_in_containers(oci_yard, PLAIN)


@pytest.mark.process
@pytest.mark.slow
def test_four_nodes_in_containers_of_an_engine_say_hello(podman_yard: Yard) -> None:
    four_nodes_in_containers(podman_yard, IMAGE)


def four_nodes_in_containers(yard: Yard, image: str) -> None:
    """The image has no Open MPI: the containers see that of this machine, read-only."""
    if missing := what_is_missing():
        pytest.skip(missing)
    folders = ("/usr", "/lib", "/lib64", "/bin", "/etc", str(SUBMIT.parent))
    container: dict[str, Any] = {
        "image": image,
        "command": [PYTHON, str(SUBMIT.parent / "node.py"), PYTHON, str(SUBMIT.parent / "hello.py")],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
        "volumes": [{"name": f"v{n}", "host": {"sourcePath": folder}} for n, folder in enumerate(folders)],
        "mountPoints": [
            {"sourceVolume": f"v{n}", "containerPath": folder, "readOnly": True} for n, folder in enumerate(folders)
        ],
    }
    batch = yard.batch
    batch.register_job_definition(
        jobDefinitionName="mpi",
        type="multinode",
        nodeProperties={
            "numNodes": NODES,
            "mainNode": 0,
            "nodeRangeProperties": [{"targetNodes": "0:", "container": container}],
        },
    )
    said_hello(yard, yard.submit("mpi"))


def said_hello(yard: Yard, job_id: str) -> None:
    """Wait for the end; each rank must have run on its own node."""
    job = yard.ended(job_id, seconds=60)
    nodes = yard.describe(*(f"{job_id}#{node}" for node in range(NODES)))
    logs = [yard.log(node) for node in nodes]
    assert (job["status"], job["attempts"][0]["container"]["exitCode"]) == ("SUCCEEDED", 0), logs

    addresses = [node["container"]["networkInterfaces"][0]["privateIpv4Address"] for node in nodes]
    assert len(set(addresses)) == NODES
    introduced = [re.fullmatch(r"node (\d+) is process (\d+) at (\S+)", log[0]) for log in logs]
    sessions = [said[2] for said in introduced if said]
    assert [(said[1], said[3]) for said in introduced if said] == [(str(n), a) for n, a in enumerate(addresses)]
    hello = re.compile(r"rank (\d+) of 4 on node (\d+) at (\S+) in session (\d+)")
    said = [found.groups() for line in logs[0] if (found := hello.fullmatch(line))]
    assert [rank for rank, *_ in said] == ["0", "1", "2", "3"]
    # Each rank is a process of its own node: of the session that the node's first process leads.
    assert {(node, address, session) for _, node, address, session in said} == {
        (str(number), addresses[number], sessions[number]) for number in range(NODES)
    }
    assert "the ranks add up to 6" in logs[0]
    assert job["attempts"][0]["container"]["networkInterfaces"] == nodes[0]["container"]["networkInterfaces"]
