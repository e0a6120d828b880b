"""What a container uses now, in the form of Docker's one-shot container statistics, as far as /proc tells it.

There is no sample before, so the `precpu_stats` are zero, as Docker's are when it is asked for one sample.
"""

import contextlib
from datetime import UTC, datetime
from typing import Any

import psutil

from batchyard.core.ids import AttemptId
from batchyard.supervisor import processes
from batchyard.supervisor.launching import mark_of

_NANOSECONDS = 1_000_000_000
_MIB = 1 << 20


def container_stats(attempt_id: AttemptId, place: int, memory_mib: int) -> dict[str, Any] | None:
    """The statistics of all processes of a container, whose limit is memory_mib; None if there are none.

    place is that of the container in its task.
    """
    user = system = memory = threads = 0.0
    members = processes.marked(mark_of(attempt_id, place))
    for process_id in members:
        with contextlib.suppress(psutil.Error, OSError):  # It may have ended meanwhile.
            process = psutil.Process(process_id)
            with process.oneshot():
                times = process.cpu_times()
                # What children used that have ended and been waited for is their parent's.
                user += times.user + times.children_user
                system += times.system + times.children_system
                memory += process.memory_info().rss
                threads += process.num_threads()
    if not members:
        return None
    machine = sum(psutil.cpu_times()[:8])
    return {
        "read": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "preread": "0001-01-01T00:00:00Z",
        "pids_stats": {"current": int(threads)},
        "cpu_stats": _cpu(user, system, machine),
        "precpu_stats": _cpu(0.0, 0.0, 0.0),
        "memory_stats": {"usage": int(memory), "limit": memory_mib * _MIB},
    }


def _cpu(user: float, system: float, machine: float) -> dict[str, Any]:
    """Seconds as nanoseconds. machine: those of all processors together since it was started."""
    return {
        "cpu_usage": {
            "total_usage": int((user + system) * _NANOSECONDS),
            "usage_in_kernelmode": int(system * _NANOSECONDS),
            "usage_in_usermode": int(user * _NANOSECONDS),
        },
        "system_cpu_usage": int(machine * _NANOSECONDS),
        "online_cpus": psutil.cpu_count() or 1,
    }
