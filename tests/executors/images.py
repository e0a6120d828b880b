"""Images for the tests, made offline of busybox-static in a storage of podman's that only the tests know."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

BUSYBOX = Path("/bin/busybox")
PLAIN, CONFIGURED = "localhost/batchyard-test/plain:1", "localhost/batchyard-test/configured:1"
CONFIGURATION = (
    'ENTRYPOINT ["/bin/sh", "-c"]',
    'CMD ["echo from the image; pwd; id -u; echo $GREETING"]',
    "ENV GREETING=hello",
    "WORKDIR /job",
    "USER worker",
)
PASSWD = "root:x:0:0:root:/root:/bin/sh\nworker:x:1234:1300::/job:/bin/sh\n"
GROUP = "root:x:0:\nworkers:x:1300:\nextra:x:1400:worker\n"


def missing() -> str | None:
    """What keeps this machine from the tests of containers; None if nothing does."""
    if os.geteuid() != 0:
        return "only root runs containers without an engine"
    for tool in ("podman", "crun", "busybox"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed; `make test` as root on Debian installs it"
    return None


def root_file_system(folder: Path) -> Path:
    """A tar archive of a root file system: busybox, two users, the usual folders."""
    root = folder / "root"
    for name in ("bin", "etc", "tmp", "proc", "sys", "dev", "job", "root", "usr/bin"):
        (root / name).mkdir(parents=True)
    shutil.copy2(BUSYBOX, root / "bin")
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text(PASSWD)
    (root / "etc/group").write_text(GROUP)
    archive = folder / "root.tar"
    subprocess.run(["tar", "--owner=0", "--group=0", "-C", root, "-cf", archive, "."], check=True)
    return archive


def make_storage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage with both images, which podman uses wherever this process's environment reaches."""
    configuration = folder / "storage.conf"
    configuration.write_text(f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(configuration))
    archive = root_file_system(folder)
    changes = [f"--change={change}" for change in CONFIGURATION]
    for options, name in (([], PLAIN), (changes, CONFIGURED)):
        subprocess.run(["podman", "import", "--quiet", *options, archive, name], check=True, capture_output=True)


def remove_storage(folder: Path) -> None:
    """Take it down; podman leaves a mount behind."""
    subprocess.run(["umount", f"{folder}/graph/overlay"], check=False, capture_output=True)


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A storage of images; skips where there can be none."""
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("storage")
    with pytest.MonkeyPatch.context() as patch:
        make_storage(folder, patch)
        yield folder
    remove_storage(folder)
