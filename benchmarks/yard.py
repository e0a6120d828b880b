"""A real server in a process of its own, on a fresh data folder, and what can be seen of it from outside."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any

import psutil

from batchyard.executors.process import stop_supervisor
from benchmarks.connection import Connection

START_SECONDS_MAX = 60.0
DEFINITION = "true"
COMPUTE = {
    "type": "EC2",
    "minvCpus": 0,
    "maxvCpus": os.cpu_count() or 1,
    "instanceTypes": ["optimal"],
    "subnets": ["subnet-local"],
    "securityGroupIds": [],
    "instanceRole": "local",
}


class Yard:
    """A server with the default queue, and the job definition `true` of one vCPU that runs /bin/true."""

    def __init__(self, executor: str = "process", environment: dict[str, str] | None = None) -> None:
        self._executor = executor
        self._environment = {**os.environ, **(environment or {})}
        self.data = Path(tempfile.mkdtemp(prefix="batchyard-bench-"))
        self.ready_seconds = self.start()
        self.define(DEFINITION, ["/bin/true"])

    def start(self) -> float:
        """Start the server, after `stop`; the seconds until it accepts connections."""
        command = [sys.executable, "-m", "batchyard", "serve", "--port", "0", "--data", str(self.data)]
        command += ["--executor", self._executor]
        started = perf_counter()
        log = (self.data / "server.log").open("a")
        with log:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment
            )
        assert self.process.stdout is not None
        guard = threading.Timer(START_SECONDS_MAX, self.process.kill)
        guard.start()
        line = self.process.stdout.readline()
        guard.cancel()
        seconds = perf_counter() - started
        if "listening on" not in line:
            raise RuntimeError(f"the server did not start: {(self.data / 'server.log').read_text()[-2000:]}")
        self.port = int(line.rsplit(":", 1)[1])
        self.connection = Connection(self.port)
        return seconds

    def kill_and_restart(self) -> float:
        """kill -9, start again on the same folder; the seconds until connections are accepted again."""
        self._kill()
        return self.start()

    def stop(self) -> None:
        """Let the server end; its folder stays."""
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(START_SECONDS_MAX)

    def _kill(self) -> None:
        self.connection.close()
        self.process.kill()
        self.process.wait(START_SECONDS_MAX)

    # ------------------------------------------------------------------------------------------ what it holds

    def define(self, name: str, command: list[str], image: str = "any") -> None:
        """Register a definition of one vCPU and 128 MiB."""
        properties = {"image": image, "vcpus": 1, "memory": 128, "command": command}
        self.connection.call(
            "registerjobdefinition", jobDefinitionName=name, type="container", containerProperties=properties
        )

    def queue(self, name: str, *, priority: int = 1, is_open: bool = False) -> None:
        """Make a queue on a compute environment of its own, which is DISABLED unless `is_open`: nothing in it runs."""
        call = self.connection.call
        call("createcomputeenvironment", computeEnvironmentName=name, type="MANAGED", computeResources=COMPUTE)
        order = [{"order": 1, "computeEnvironment": name}]
        call("createjobqueue", jobQueueName=name, priority=priority, computeEnvironmentOrder=order)
        if not is_open:
            self.open_queue(name, "DISABLED")

    def open_queue(self, name: str, state: str = "ENABLED") -> None:
        """Let the jobs of a queue of `queue` run, or no longer."""
        self.connection.call("updatecomputeenvironment", computeEnvironment=name, state=state)

    def submit(self, queue: str = "default", size: int | None = None, definition: str = DEFINITION) -> str:
        """Submit a job, or an array; its id."""
        array: dict[str, Any] = {} if size is None else {"arrayProperties": {"size": size}}
        answer = self.connection.call("submitjob", jobName="bench", jobQueue=queue, jobDefinition=definition, **array)
        return str(answer["jobId"])

    # ------------------------------------------------------------------------------------------ what it costs

    def cpu_seconds(self) -> float:
        """What the server has used of all cores, to the nanosecond where the kernel counts so finely."""
        return cpu_seconds(self.process.pid)

    def resident_mib(self) -> float:
        """What the server holds of memory."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / (1 << 20)

    def supervisor_id(self) -> int:
        """The supervisor's process id."""
        return int((self.data / "supervisor" / "lock").read_text())

    def __enter__(self) -> "Yard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            log = (self.data / "server.log").read_text()[-2000:]
            error.add_note(
                f"the server: {'running' if self.process.poll() is None else self.process.returncode}\n{log}"
            )
        if self.process.poll() is None:
            self._kill()
        stop_supervisor(self.data, 0)
        shutil.rmtree(self.data)


def cpu_seconds(process_id: int) -> float:
    """User and system time of a process and its threads so far."""
    try:
        stats = [file.read_text() for file in Path(f"/proc/{process_id}/task").glob("*/schedstat")]
        return sum(int(stat.split()[0]) for stat in stats) / 1e9
    except OSError:
        times = psutil.Process(process_id).cpu_times()
        return float(times.user + times.system)


def children_cpu_seconds(process_id: int) -> float:
    """User and system time of the ended children of a process, in clock ticks of 10 ms."""
    times = psutil.Process(process_id).cpu_times()
    return float(times.children_user + times.children_system)
