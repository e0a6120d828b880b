"""The oci executor: containers without an engine, made by the supervisor that the process executor has.

An order says of itself that it is for containers (`Launch.in_containers`), so all that is different on the server's
side is whether this machine can do it, and how.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from batchyard.executors.process import ProcessExecutor
from batchyard.executors.supervisor_protocol import ContainerSettings

TOOLS = {
    "crun": "makes containers: install crun 1.8 or newer",
    "podman": "pulls and stores images: install podman 4.3 or newer",
}
_CLONE_NEWNS, _MS_REC, _MS_PRIVATE = 0x20000, 1 << 14, 1 << 18


class OciExecutor(ProcessExecutor):
    """The supervisor of one data folder, told how containers are made (`interface.Executor`)."""

    name = "oci"

    def __init__(
        self,
        data: Path,
        *,
        containers: ContainerSettings | None = None,
        log_cap_bytes: int | None = None,
        idle_seconds: float = 60.0,
        use_control_groups: bool = True,
    ) -> None:
        super().__init__(
            data, log_cap_bytes=log_cap_bytes, idle_seconds=idle_seconds, use_control_groups=use_control_groups
        )
        self.containers = containers or ContainerSettings()

    def honours(self) -> Mapping[str, str]:
        """See `Executor.honours`."""
        return {**super().honours(), **NOT_HONOURED}


NOT_HONOURED = {
    "ephemeralStorage": "the size of a container's root is not limited; its file system may fill up",
    "networkConfiguration": "containers have the host's network, or none",
}


def obstacles(data: Path) -> Iterator[str]:
    """What keeps this process from running containers for a data folder, each with the remedy; nothing if it can."""
    if os.geteuid() != 0:
        yield "the server does not run as root: serve as root"
    for tool, remedy in TOOLS.items():
        if shutil.which(tool) is None:
            yield f"{tool} is missing, which {remedy}"
    if os.geteuid() == 0 and (problem := _overlay_problem(data)):
        yield problem


def _overlay_problem(data: Path) -> str | None:
    """Mount an overlay as a container's root is, in a process and mount namespace that end with the trial."""
    place = next(folder for folder in (data, *data.parents) if folder.is_dir())
    try:
        with tempfile.TemporaryDirectory(prefix=".batchyard-overlay-", dir=place) as folder:
            child = os.fork()
            if child == 0:
                os._exit(_try_overlay(folder))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except OSError as failure:
        return f"{place} cannot be written: {failure.strerror}"
    if code == 0:
        return None
    what = os.strerror(code) if code > 0 else "it was killed"
    return f"no overlay can be mounted below {place} ({what}): choose a data folder on ext4 or xfs"


def _try_overlay(folder: str) -> int:
    """In the child: 0, or the number of the error. Nothing but system calls, since other threads held locks."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        for name in ("lower", "upper", "work", "root"):
            os.mkdir(f"{folder}/{name}")  # noqa: PTH102
    except OSError as failure:
        return failure.errno or 1
    options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
    if (
        libc.unshare(_CLONE_NEWNS)
        or libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None)
        or libc.mount(b"overlay", os.fsencode(f"{folder}/root"), b"overlay", 0, os.fsencode(options))
    ):
        return ctypes.get_errno() or 1
    return 0


def versions() -> str:
    """The versions of the tools, as they say them."""
    found = []
    for tool in TOOLS:
        try:
            said = subprocess.run([tool, "--version"], check=False, capture_output=True, text=True, timeout=10).stdout
        except (OSError, subprocess.TimeoutExpired):
            said = ""
        found.append(said.partition("\n")[0] or f"{tool} ?")
    return ", ".join(found)
