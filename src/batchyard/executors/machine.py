"""What this machine has to lend: the processors we may use, its memory, its GPUs."""

import os
from pathlib import Path

import psutil

from batchyard.executors.interface import Capacity

_MIB = 1 << 20


def machine_capacity() -> Capacity:
    """vCPUs are the processors this process may run on; memory is in MiB; GPUs are counted by their device files."""
    return Capacity(
        vcpus=float(len(os.sched_getaffinity(0))),
        memory_mib=psutil.virtual_memory().total // _MIB,
        gpus=sum(1 for device in Path("/dev").glob("nvidia[0-9]*") if device.name[6:].isdigit()),
    )
