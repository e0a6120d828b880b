"""`python -m batchyard.supervisor DATA_FOLDER`: started by the server when none runs for its data folder."""

import argparse
import ctypes
import fcntl
import gc
import logging
import os
import resource
import signal
import time
from pathlib import Path

from batchyard.core.ids import Millis
from batchyard.executors.control_groups import ControlGroups, NoControlGroups, control_groups
from batchyard.executors.interface import AttemptLost
from batchyard.executors.supervisor_protocol import listen, supervisor_folder
from batchyard.supervisor import processes
from batchyard.supervisor.journal import Journal
from batchyard.supervisor.loop import Supervisor

_PR_SET_CHILD_SUBREAPER = 36
_PATIENCE_SECONDS = 30.0

log = logging.getLogger("batchyard.supervisor")


def main() -> int:
    """Be the supervisor of a data folder; returns at once if it has one already."""
    arguments = _arguments()
    data: Path = arguments.data_folder.resolve()
    folder = supervisor_folder(data)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    os.ftruncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    os.chdir("/")
    # The processes of all attempts come home to this one when their parents die.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    journal = Journal(folder / "journal", _boot_id())
    groups = control_groups(data)
    _end_left_overs(journal, groups)
    groups.remove()
    groups = NoControlGroups("the setting forbids it") if arguments.no_control_groups else control_groups(data)
    supervisor = Supervisor(
        data,
        listen(data),
        journal,
        groups,
        lock=lock,
        idle_seconds=arguments.idle_seconds,
        pids_limit=_pids_limit(),
    )
    log.info("serving %s as process %d", data, os.getpid())
    gc.freeze()
    supervisor.run()
    (folder / "socket").unlink(missing_ok=True)
    groups.remove()
    log.info("ended")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="batchyard.supervisor", description=__doc__)
    parser.add_argument("data_folder", type=Path, help="the data folder whose attempts to run")
    parser.add_argument(
        "--idle-seconds", type=float, default=60.0, help="end after so long without server and attempts"
    )
    parser.add_argument("--no-control-groups", action="store_true", help="limit nothing by control groups")
    return parser.parse_args()


def _end_left_overs(journal: Journal, groups: ControlGroups) -> None:
    """Kill whatever an earlier supervisor left running, then journal its attempts as lost."""
    live = journal.live
    mains = [(running.process_id, running.process_started) for running in live.values() if running]
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while left := set(groups.left_over()) | set(processes.left_over(live.keys(), mains) if live else ()):
        processes.send(signal.SIGKILL, left)
        if time.monotonic() > deadline:
            log.error("these processes of lost attempts cannot be killed: %s", sorted(left))
            break
        time.sleep(0.005)
    now = Millis(time.time_ns() // 1_000_000)
    journal.add([AttemptLost(attempt_id, now, running.at if running else None) for attempt_id, running in live.items()])


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _pids_limit() -> int:
    """Half of what the machine can hold, so that a fork bomb hurts only its own attempt."""
    limits = [int(Path("/proc/sys/kernel/pid_max").read_text())]
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    if soft != resource.RLIM_INFINITY:
        limits.append(soft)
    return max(64, min(limits) // 2)


if __name__ == "__main__":
    raise SystemExit(main())
