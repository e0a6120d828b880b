"""What this machine has to lend: the processors and the memory that this process may use, and its GPUs."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil

from batchyard.executors.interface import Capacity

_MIB = 1 << 20
_CONTROL_GROUPS = Path("/sys/fs/cgroup")


def machine_capacity() -> Capacity:
    """vCPUs are the processors this process may run on, memory is in MiB; both at most what the control groups about
    this process allow, as in a container. GPUs are counted by their device files."""
    return Capacity(
        vcpus=min([float(len(os.sched_getaffinity(0))), *_quotas()]),
        memory_mib=min([psutil.virtual_memory().total, *_memory_limits()]) // _MIB,
        gpus=sum(1 for device in Path("/dev").glob("nvidia[0-9]*") if device.name[6:].isdigit()),
    )


def _quotas() -> Iterator[float]:
    """CPU quotas, in processors."""
    for folder in _folders("cpu"):
        with contextlib.suppress(OSError, ValueError):
            yield _number(folder / "cpu.cfs_quota_us") / _number(folder / "cpu.cfs_period_us")
        with contextlib.suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text().split()
            yield int(quota) / int(period)


def _memory_limits() -> Iterator[int]:
    """Memory limits, in bytes."""
    for folder in _folders("memory"):
        for name in ("memory.limit_in_bytes", "memory.max"):
            with contextlib.suppress(OSError, ValueError):
                yield _number(folder / name)


def _number(path: Path) -> int:
    """The number in a file. Raises ValueError for `max` and for -1, which both mean no limit."""
    number = int(path.read_text())
    if number <= 0:
        raise ValueError
    return number


def _folders(controller: str) -> Iterator[Path]:
    """This process's own group and those about it, in either version, as far as they can be seen from here."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            mount = _CONTROL_GROUPS / controller if controllers else _CONTROL_GROUPS
            here = mount / path.lstrip("/")
            yield from (folder for folder in (here, *here.parents) if folder.is_relative_to(mount))
