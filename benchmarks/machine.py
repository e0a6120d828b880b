"""What the benchmarks ran on, as far as it matters to them."""

import os
import platform
import tempfile
from pathlib import Path
from time import perf_counter

import psutil

from benchmarks.figures import median

SYNCS = 50


def description() -> dict[str, str]:
    """Cores, processor, memory, kernel, Python, and how long this disk takes to make 4 KiB durable."""
    return {
        "cores": f"{os.cpu_count()} x {_processor()}",
        "memory": f"{psutil.virtual_memory().total / (1 << 30):.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "fdatasync of 4 KiB": f"{sync_seconds() * 1000:.2f} ms",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def sync_seconds() -> float:
    """The median time of an appended 4 KiB and its fdatasync, where temporary folders are."""
    taken = []
    with tempfile.TemporaryFile(buffering=0) as file:
        for _ in range(SYNCS):
            start = perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            taken.append(perf_counter() - start)
    return median(taken)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
