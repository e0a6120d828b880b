"""The peers: bare loops of the machine, and two programs that people would otherwise use.

What is not installed is None here, and the table says so. HyperQueue and moto live in `.venv-bench`, which
`make bench` makes. Everything listens on loopback: moto because it is told to, HyperQueue because it is put into a
network namespace that has nothing else (its embedded server would listen on every interface).
"""

import json
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter

from benchmarks.connection import HOST, Connection, signature
from benchmarks.figures import polling

PEERS = Path(__file__).resolve().parent.parent / ".venv-bench" / "bin"
CORES = os.cpu_count() or 1
PATIENCE_SECONDS = 300

HYPERQUEUE_LOOKS_EVERY_SECONDS = 1.0
"""Its client asks once a second whether a job has finished; half of that is taken off what the job seems to take."""


def xargs_seconds(jobs: int) -> float:
    """/bin/true so often by `xargs`, one per core at a time: no limits, no logs, no records."""
    numbers = "\n".join(map(str, range(jobs)))
    start = perf_counter()
    subprocess.run(
        ["xargs", f"-P{CORES}", "-n1", "/bin/true"], input=numbers, text=True, check=True, timeout=PATIENCE_SECONDS
    )
    return perf_counter() - start


def xargs_cpu_seconds(jobs: int) -> float:
    """User and system time of the same."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    xargs_seconds(jobs)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def has_gnu_parallel() -> bool:
    """Whether `parallel` is there and GNU's."""
    command = shutil.which("parallel")
    if command is None:
        return False
    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=False, timeout=30)
    return said.stdout.startswith("GNU parallel")


def parallel_seconds(jobs: int) -> float:
    """/bin/true so often by GNU parallel."""
    numbers = "\n".join(map(str, range(jobs)))
    start = perf_counter()
    subprocess.run(
        ["parallel", f"-j{CORES}", "/bin/true"], input=numbers, text=True, check=True, timeout=PATIENCE_SECONDS
    )
    return perf_counter() - start


def why_no_hyperqueue() -> str | None:
    """What is missing for HyperQueue, or None if it can be run."""
    python = PEERS / "python"
    if not python.exists():
        return ".venv-bench is not there (`make bench` makes it)"
    if subprocess.run([python, "-c", "import hyperqueue"], capture_output=True, check=False, timeout=60).returncode:
        return "HyperQueue is not installed in .venv-bench"
    alone = [*_on_loopback_alone(), "true"]
    if subprocess.run(alone, capture_output=True, check=False, timeout=30).returncode:
        return "HyperQueue would listen on every interface, and no network namespace can be made here to contain it"
    return None


def hyperqueue_seconds(jobs: int) -> float:
    """/bin/true so often as tasks of one HyperQueue job: server and a worker of all cores, with records in memory."""
    script = Path(__file__).with_name("hyperqueue_array.py")
    with tempfile.TemporaryDirectory(prefix="hyperqueue-") as folder:
        command = [*_on_loopback_alone(), str(PEERS / "python"), str(script), folder, str(jobs), str(CORES)]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS)
    return float(said.stdout.split()[-1]) - HYPERQUEUE_LOOKS_EVERY_SECONDS / 2


def _on_loopback_alone() -> list[str]:
    """What a command is put behind to run in a network namespace that has loopback and nothing else."""
    return ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]


def has_moto() -> bool:
    """Whether moto's server is installed in .venv-bench."""
    return (PEERS / "moto_server").exists()


@contextmanager
def moto(*, uses_docker: bool) -> Iterator[int]:
    """moto's server with a queue `bench` and a definition `true`; yields its port.

    uses_docker: as moto is by default, each job is a thread that looks for Docker; without, it is marked as finished.
    """
    with socket.create_server((HOST, 0)) as listener:
        port = int(listener.getsockname()[1])
    command = [str(PEERS / "moto_server"), "-H", HOST, "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_listening(port)
        if not uses_docker:
            _post(port, "/moto-api/config", json.dumps({"batch": {"use_docker": False}}), "application/json")
        _prepare_moto(port)
        yield port
    finally:
        process.kill()
        process.wait()


def _wait_until_listening(port: int) -> None:
    for _ in polling(30.0):
        with closing(socket.socket()) as attempt:
            if attempt.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)


def _prepare_moto(port: int) -> None:
    policy = "Action=CreateRole&Version=2010-05-08&RoleName=bench&AssumeRolePolicyDocument=%7B%7D"
    _post(port, "/", policy, "application/x-www-form-urlencoded", service="iam")
    connection = Connection(port)
    call = connection.call
    role = "arn:aws:iam::123456789012:role/bench"
    call("createcomputeenvironment", computeEnvironmentName="bench", type="UNMANAGED", serviceRole=role)
    order = [{"order": 1, "computeEnvironment": "bench"}]
    call("createjobqueue", jobQueueName="bench", state="ENABLED", priority=1, computeEnvironmentOrder=order)
    container = {"image": "any", "vcpus": 1, "memory": 128, "command": ["/bin/true"]}
    call("registerjobdefinition", jobDefinitionName="true", type="container", containerProperties=container)
    connection.close()


def _post(port: int, path: str, body: str, content_type: str, service: str = "batch") -> None:
    headers = {"Content-Type": content_type, "Authorization": signature(service)}
    url = f"http://{HOST}:{port}{path}"
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=30) as response:
        response.read()
