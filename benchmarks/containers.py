"""What containers are measured against: podman's API with nothing in front of it, and crun in a loop.

A podman of our own, with storage in a folder of our own, and in it an image of nothing but busybox.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter

import docker
import psutil

from benchmarks.figures import polling
from benchmarks.peers import CORES

IMAGE = "localhost/batchyard-bench/busybox:1"
BUSYBOX = Path("/bin/busybox")
_MIB = 1 << 20


def why_no_containers() -> str | None:
    """What keeps this machine from it; None if nothing does."""
    if os.geteuid() != 0:
        return "only root can"
    missing = [tool for tool in ("podman", "crun", "busybox") if shutil.which(tool) is None]
    return f"{', '.join(missing)} not installed" if missing else None


@contextmanager
def podman() -> Iterator[Path]:
    """Its folder; while it lasts, the environment makes servers and tools use this podman."""
    folder = Path(tempfile.mkdtemp(prefix="batchyard-podman-"))
    (folder / "containers.conf").write_text(
        '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
        '[engine]\nruntime = "crun"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
    )
    (folder / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/graph"\n'
    )
    before = dict(os.environ)
    for variable in ("DOCKER_HOST", "CONTAINER_HOST"):
        os.environ.pop(variable, None)
    os.environ |= {
        "CONTAINERS_CONF": f"{folder}/containers.conf",
        "CONTAINERS_STORAGE_CONF": f"{folder}/storage.conf",
    }
    try:
        _import_image(folder)
        service = _serve(folder)
        try:
            yield folder
        finally:
            service.send_signal(signal.SIGTERM)
            service.wait(30)
    finally:
        os.environ.clear()
        os.environ.update(before)
        for mount in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if mount.split()[1].startswith(str(folder)):
                subprocess.run(["umount", "-l", mount.split()[1]], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def address(folder: Path) -> str:
    """Where its API is."""
    return f"unix://{folder}/engine.sock"


def _import_image(folder: Path) -> None:
    root = folder / "bundle" / "rootfs"
    for name in ("bin", "proc", "sys", "dev", "etc", "tmp"):
        (root / name).mkdir(parents=True)
    shutil.copy2(BUSYBOX, root / "bin")
    for applet in ("sh", "true"):
        (root / "bin" / applet).symlink_to("busybox")
    subprocess.run(["tar", "-C", root, "-cf", folder / "root.tar", "."], check=True)
    subprocess.run(["podman", "import", "--quiet", folder / "root.tar", IMAGE], check=True, capture_output=True)


def _serve(folder: Path) -> "subprocess.Popen[bytes]":
    command = _for_crun(["podman", "--tmpdir", f"{folder}/tmp", "system", "service", "-t", "0", address(folder)])
    with (folder / "service.log").open("ab") as log:
        service = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    for _ in polling(30.0):
        with suppress(docker.errors.DockerException):
            docker.APIClient(base_url=address(folder), version="auto").close()
            break
        time.sleep(0.05)
    return service


def _for_crun(command: list[str]) -> list[str]:
    """The command, kept from a hybrid tree of control groups with controllers left on it, which crun refuses."""
    hybrid = Path("/sys/fs/cgroup/unified/cgroup.controllers")
    if hybrid.exists() and hybrid.read_text().strip():
        return ["unshare", "-m", "sh", "-c", 'umount /sys/fs/cgroup/unified && exec "$@"', "sh", *command]
    return command


def api_loop(folder: Path, jobs: int) -> tuple[float, float]:
    """Create, start, wait and remove so many containers of /bin/true, one per core at a time; seconds, and CPU seconds
    of the machine."""
    body = {
        "Image": IMAGE,
        "Cmd": ["/bin/true"],
        "HostConfig": {"NetworkMode": "host", "CpuShares": 1024, "Memory": 128 * _MIB, "MemorySwap": 128 * _MIB},
    }

    def share(count: int) -> None:
        client = docker.APIClient(base_url=address(folder), version="auto")
        for _ in range(count):
            made = client.create_container_from_config(body)["Id"]
            client.start(made)
            assert client.wait(made)["StatusCode"] == 0
            client.remove_container(made)
        client.close()

    before, start = busy_seconds(), perf_counter()
    with ThreadPoolExecutor(CORES) as pool:
        list(pool.map(share, [jobs // CORES] * CORES))
    return perf_counter() - start, busy_seconds() - before


def crun_loop(folder: Path, jobs: int) -> tuple[float, float]:
    """`crun run` of /bin/true so often, one per core at a time, in a bundle without limits or layers; the same two."""
    bundle = folder / "bundle"
    if not (bundle / "config.json").exists():
        subprocess.run(["crun", "spec"], cwd=bundle, check=True)
        spec = json.loads((bundle / "config.json").read_text())
        spec["process"] |= {"terminal": False, "args": ["/bin/true"]}
        spec["mounts"] = [mount for mount in spec["mounts"] if mount["type"] != "cgroup"]
        spec["linux"].pop("resources", None)
        spec["linux"]["namespaces"] = [each for each in spec["linux"]["namespaces"] if each["type"] != "network"]
        (bundle / "config.json").write_text(json.dumps(spec))
    numbers = "\n".join(f"bench-{number}" for number in range(jobs))
    command = ["xargs", f"-P{CORES}", "-n1", "crun", "--cgroup-manager=disabled", f"--root={folder}/crun", "run"]
    before, start = busy_seconds(), perf_counter()
    subprocess.run(
        _for_crun([*command, f"--bundle={bundle}"]), input=numbers, text=True, check=True, capture_output=True
    )
    return perf_counter() - start, busy_seconds() - before


def plain_loop(folder: Path, jobs: int) -> tuple[float, float]:
    """The same with all that a job's container has, by the plainest means (`crun_alone`); the same two."""
    command = [sys.executable, "-m", "benchmarks.crun_alone", str(folder), str(jobs)]
    before, start = busy_seconds(), perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return perf_counter() - start, busy_seconds() - before


def busy_seconds() -> float:
    """CPU that all processes of the machine have used."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)
