"""How fast does the supervisor run `/bin/true`, next to `xargs -P2 -n1` in the same run?

usage: python benchmarks/supervisor_rate.py [JOBS] [SLOTS]

Jobs are ordered ahead in batches, as the engine does it, and acknowledged. CPU is the supervisor's own and that of its
children, from /proc, with what the kernel did for them.
"""

import collections
import os
import queue
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from batchyard.core.ids import AttemptId
from batchyard.executors.interface import AttemptExited, Batch, Capacity, Container, Launch, Message, Observed, Position
from batchyard.executors.process import ProcessExecutor, stop_supervisor

AHEAD = 64
VARIABLES = {f"AWS_BATCH_VARIABLE_{number}": "a value of ordinary length" for number in range(12)}


def launch() -> Launch:
    """One job of half a machine's slot."""
    container = Container("default", "any", ("/bin/true",), VARIABLES, 1.0, 128)
    return Launch(AttemptId(uuid.uuid4().hex), "job", "default", 1.0, 128, 0, (container,))


def cpu_seconds(process_id: int) -> float:
    """User and system time of a process and its reaped children."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def busy_seconds() -> float:
    """What all CPUs of the machine have worked."""
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8]))
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def supervisor(jobs: int, slots: int) -> None:
    """Run the jobs through a supervisor of their own and print what they cost."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        executor = ProcessExecutor(data)
        executor.configure(Capacity(slots, 1 << 20))
        executor.start(Position(), messages.put)
        while not isinstance(messages.get(timeout=20), Observed):
            pass
        process_id = int((data / "supervisor" / "lock").read_text())
        before, busy, start = cpu_seconds(process_id), busy_seconds(), time.perf_counter()
        waiting = collections.deque(launch() for _ in range(jobs))
        held = ended = 0
        while ended < jobs:
            if waiting and held < AHEAD // 2:
                batch = [waiting.popleft() for _ in range(min(len(waiting), AHEAD - held))]
                executor.order(batch)
                held += len(batch)
            message = messages.get(timeout=60)
            assert isinstance(message, Batch)
            exits = [report for report in message.reports if isinstance(report, AttemptExited)]
            assert all(report.exit_code == 0 for report in exits)
            held -= len(exits)
            ended += len(exits)
            executor.acknowledge(message.position)
        wall = time.perf_counter() - start
        show("supervisor", jobs, wall, cpu_seconds(process_id) - before, busy_seconds() - busy)
        status = Path(f"/proc/{process_id}/status").read_text()
        print("  resident:", next(line.split(":")[1].strip() for line in status.split("\n") if "VmRSS" in line))
        executor.close()
        stop_supervisor(data, 1)


def xargs(jobs: int, slots: int) -> None:
    """The peer: no limits, no logs, no records."""
    before, busy, start = resource.getrusage(resource.RUSAGE_CHILDREN), busy_seconds(), time.perf_counter()
    numbers = "\n".join(map(str, range(jobs)))
    subprocess.run(["xargs", f"-P{slots}", "-n1", "/bin/true"], input=numbers, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    show("xargs", jobs, time.perf_counter() - start, cpu, busy_seconds() - busy)


def show(name: str, jobs: int, wall: float, cpu: float, busy: float) -> None:
    """One line of the table."""
    print(
        f"{name:12} {jobs / wall:7.0f} jobs/s  {1000 * cpu / jobs:6.3f} CPU ms/job"
        f"  {1000 * busy / jobs:6.3f} CPU ms/job on the whole machine"
    )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    at_once = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    xargs(count, at_once)
    supervisor(count, at_once)
