"""`python -m benchmarks.crun_alone FOLDER JOBS`: containers of /bin/true as a job has them, by the plainest means.

Each has a fresh overlay over the image's files, fresh control groups with limits, the runtime spec that the oci
executor writes, its output in a file, and leaves nothing behind. What it has not: a server, records on disk, an attempt
that survives a crash, an end that is sure to take the whole tree along. As many at a time as there are cores, each in
a process of its own.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from batchyard.executors.interface import Container, Isolation
from batchyard.supervisor.containers.bundle import make_bundle
from batchyard.supervisor.containers.image import Image
from batchyard.supervisor.containers.mounts import enter_own_mounts
from benchmarks.peers import CORES

GROUPS = Path("/sys/fs/cgroup")
LIMITS = {
    "memory": {"memory.limit_in_bytes": str(64 << 20)},
    "cpu": {"cpu.shares": "1024"},
    "pids": {"pids.max": "1024"},
}
"""Of control groups version 1; elsewhere the loop does without, to its advantage."""

JOB = Container("true", "", ("/bin/true",), {"BENCHMARK": "yes"}, 1, 64, isolation=Isolation())


def main(folder: Path, jobs: int) -> None:
    """Run so many."""
    children = [os.fork() for _ in range(CORES - 1)]
    mine = folder / f"alone-{os.getpid()}"
    if 0 not in children:
        _share(mine, jobs - (CORES - 1) * (jobs // CORES))
        for child in children:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    else:
        _share(mine, jobs // CORES)


def _share(folder: Path, jobs: int) -> None:
    enter_own_mounts()
    folder.mkdir()
    image = Image("", str(folder.parent / "bundle"), ("rootfs",), "", 0)
    for number in range(jobs):
        _one(folder / str(number), image)
    folder.rmdir()


def _one(folder: Path, image: Image) -> None:
    groups = [GROUPS / kind / f"batchyard-bench-{os.getpid()}" for kind in LIMITS if (GROUPS / kind).is_dir()]
    for group in groups:
        group.mkdir()
        for file, value in LIMITS[group.parent.name].items():
            (group / file).write_text(value)
    make_bundle(folder, JOB, image, JOB.environment, gpus=(), network="host", mark="")

    def enter() -> None:
        for group in groups:
            (group / "cgroup.procs").write_text("0")

    command = ["crun", "--cgroup-manager=disabled", f"--root={folder}/state", "run", f"--bundle={folder}", folder.name]
    with (folder / "log").open("wb") as log:
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=enter)
    subprocess.run(["umount", folder / "rootfs"], check=True)
    shutil.rmtree(folder)
    for group in groups:
        group.rmdir()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
