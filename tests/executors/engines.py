"""Container engines of the tests' own: a podman service or a dockerd on a socket in a temporary folder, and an image
made of this machine's busybox."""

import contextlib
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import docker
import pytest

from batchyard.containers.engine_api import EngineApi
from batchyard.containers.executor import ContainerExecutor
from batchyard.containers.workshop import EngineSettings
from batchyard.executors.interface import Container, Isolation, Launch, Mount, Order

IMAGE = "localhost/batchyard-test/busybox:1"
_START_SECONDS = 30.0


@dataclass
class OwnEngine:
    """An engine that is started for the tests and ended after them."""

    kind: str
    folder: Path
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"unix://{self.folder}/engine.sock"

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = (self.folder / "log").open("ab")
        environment = dict(os.environ)
        if self.kind == "podman":
            environment |= {
                "CONTAINERS_CONF": str(self.folder / "containers.conf"),
                "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            }
        self.process = subprocess.Popen(
            self._command(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=self.folder,
            start_new_session=True,
        )
        log.close()
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                docker.APIClient(base_url=self.address, version="auto").close()
            except docker.errors.DockerException:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    pytest.skip(f"{self.kind} does not start here: {(self.folder / 'log').read_text()[-300:]}")
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End the service; what containers do then is the engine's."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def _command(self) -> list[str]:
        if self.kind == "docker":
            return [
                *("dockerd", "--data-root", f"{self.folder}/root", "--exec-root", f"{self.folder}/exec"),
                *("--pidfile", f"{self.folder}/pid", "-H", self.address, "--iptables=false", "--bridge=none"),
                "--live-restore",
            ]
        serve = ["podman", "--tmpdir", f"{self.folder}/tmp", "system", "service", "-t", "0", self.address]
        hybrid = Path("/sys/fs/cgroup/unified/cgroup.controllers")
        if hybrid.exists() and hybrid.read_text().strip():  # crun refuses controllers left on such a tree
            return ["unshare", "-m", "sh", "-c", 'umount /sys/fs/cgroup/unified && exec "$@"', "sh", *serve]
        return serve

    def prepare(self) -> None:
        """Write its configuration, start it and give it the image."""
        (self.folder / "containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]\n'
            '[engine]\nruntime = "crun"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        )
        (self.folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\nrunroot = "{self.folder}/run"\ngraphroot = "{self.folder}/graph"\n'
        )
        self.start()
        self._import_image()

    def _import_image(self) -> None:
        archive = self.folder / "busybox.tar"
        busybox_root(archive)
        client = docker.APIClient(base_url=self.address, version="auto")
        client.import_image(str(archive), repository=IMAGE.rpartition(":")[0], tag="1")
        names = {image["Id"]: image["RepoTags"] or [] for image in client.images()}
        (image,) = [name for name, tags in names.items() if any("batchyard-test" in tag for tag in tags)]
        client.tag(image, IMAGE.rpartition(":")[0], "1")
        client.close()

    def remove(self, attempt_id: str) -> None:
        """Remove an attempt's container, as anybody might."""
        client = docker.APIClient(base_url=self.address, version="auto")
        client.remove_container(f"batchyard-{attempt_id}", force=True)
        client.close()

    def names_with(self, attempt_id: str) -> list[str]:
        """The containers and volumes that are named after an attempt."""
        client = docker.APIClient(base_url=self.address, version="auto")
        found = [name for entry in client.containers(all=True) for name in entry["Names"]]
        found += [entry["Name"] for entry in client.volumes()["Volumes"] or ()]
        client.close()
        return [name for name in found if attempt_id in name]

    def end(self) -> None:
        """Remove every container and the service."""
        with contextlib.suppress(Exception):
            client = docker.APIClient(base_url=self.address, version="auto")
            for entry in client.containers(all=True):
                client.remove_container(entry["Id"], force=True)
        with contextlib.suppress(Exception):
            self.stop()
        for mount in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if mount.split()[1].startswith(str(self.folder)):
                subprocess.run(["umount", "-l", mount.split()[1]], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def busybox_root(archive: Path) -> None:
    """A root file system of nothing but busybox, as a tar archive."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("bin", "usr/bin", "tmp", "etc", "proc", "sys", "dev", "root"):
            (root / name).mkdir(parents=True)
        (root / "tmp").chmod(0o1777)
        shutil.copy("/bin/busybox", root / "bin/busybox")
        applets = subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True).stdout.split()
        for applet in applets:
            if applet != "busybox":
                (root / "bin" / applet).symlink_to("busybox")
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nworker:x:1000:1000::/tmp:/bin/sh\n")
        (root / "etc/group").write_text("root:x:0:\nworker:x:1000:\n")
        with tarfile.open(archive, "w") as out:
            out.add(root, ".")


def own_engine(kind: str) -> Iterator[OwnEngine]:
    """An engine of this kind for as long as the generator lives; skips where there can be none."""
    program = {"docker": "dockerd", "podman": "podman"}[kind]
    busybox = Path("/bin/busybox")
    if os.geteuid() != 0 or not shutil.which(program) or not busybox.exists():
        pytest.skip(f"needs root, {program} and busybox-static (tests/machine/prepare installs them)")
    engine = OwnEngine(kind, Path(tempfile.mkdtemp(prefix=f"by-{kind}-")))
    try:
        engine.prepare()
        yield engine
    finally:
        engine.end()


class OnImage(ContainerExecutor):
    """Runs what the conformance suite orders in the tests' image, with a folder of the host at its own path."""

    shared: Path | None = None

    def order(self, orders: "list[Order] | tuple[Order, ...]") -> None:  # type: ignore[override]
        super().order([self._fitted(order) if isinstance(order, Launch) else order for order in orders])

    def _fitted(self, launch: Launch) -> Launch:
        """Those of tasks get an init process, as shells of the host have one."""
        return replace(launch, containers=tuple(self._fit(each, len(launch.containers)) for each in launch.containers))

    def _fit(self, container: Container, of: int) -> Container:
        if container.image != "busybox":
            return container
        isolation = container.isolation or Isolation(init_process=of > 1)
        if self.shared is not None:
            mount = Mount(str(self.shared), source=str(self.shared))
            isolation = replace(isolation, mounts=(*isolation.mounts, mount))
        return replace(container, image=IMAGE, isolation=isolation)


def executor(engine: OwnEngine, data: Path, shared: Path | None = None, **settings: object) -> OnImage:
    """An executor on this engine."""
    found = OnImage(data, EngineApi(engine.address), EngineSettings(**settings))  # type: ignore[arg-type]
    found.shared = shared
    return found
