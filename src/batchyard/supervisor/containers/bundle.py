"""The folder of one container: its overlay, its runtime spec, and the files that stand for /etc/hosts and the like.

It lies in the scratch folder of its attempt, beside the volumes that the attempt's containers share.
"""

import functools
import json
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from batchyard.executors.interface import Container, Device, Isolation
from batchyard.supervisor.containers.image import Image
from batchyard.supervisor.containers.image_user import ImageUser, UnknownUser, image_user
from batchyard.supervisor.containers.mounts import mount_overlay
from batchyard.supervisor.containers.runtime_spec import CannotContain, Ground, HostDevice, runtime_spec

VOLUMES = "volumes"
PROCESS_ID_FILE, ERROR_FILE = "pid", "error"
_SHARED = 0o777
_GPU_CONTROLS = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset")
_HOST_FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/hostname")
_INITS = ("/usr/bin/catatonit", "/usr/libexec/podman/catatonit", "/usr/bin/docker-init", "/usr/bin/tini-static")
_KINDS = {stat.S_IFCHR: "c", stat.S_IFBLK: "b"}
_LARGEST_ARGUMENT_BYTES = 128 << 10


def make_bundle(
    folder: Path,
    container: Container,
    image: Image,
    environment: Mapping[str, str],
    *,
    gpus: tuple[int, ...],
    network: str,
    mark: str,
) -> None:
    """Mount its root and write its config.json into `folder`, which is made. Raises CannotContain and OSError."""
    isolation = container.isolation or Isolation()
    _check_text(container.command, environment)
    folder.mkdir(mode=0o700)
    root = mount_overlay(image.home, image.layers, folder, devices=isolation.privileged)
    who = _who(root, container.user or image.user)
    ground = Ground(
        root=str(root),
        hostname=socket.gethostname() if network == "host" else mark[:12],
        network=network,
        capabilities=_own_capabilities(),
        volumes=_volumes(folder.parent / VOLUMES, isolation),
        files=_files(folder, network, mark[:12]),
        devices=tuple(_devices(isolation, gpus)),
        init=_init(),
    )
    spec = runtime_spec(container, image, who, environment, ground)
    (folder / "config.json").write_text(json.dumps(spec))


def error_of(folder: Path) -> str:
    """The last thing that crun said about the container; empty if it said nothing."""
    try:
        lines = (folder / ERROR_FILE).read_text(errors="replace").splitlines()
        return str(json.loads(lines[-1])["msg"])
    except (OSError, IndexError, ValueError, KeyError):
        return ""


def _check_text(command: tuple[str, ...], environment: Mapping[str, str]) -> None:
    if any("\0" in text for text in (*command, *environment, *environment.values())):
        raise CannotContain("embedded null character")
    for name in environment:
        if not name or "=" in name:
            raise CannotContain(f"illegal environment variable name {name!r}")
    # The kernel refuses these when crun has already said that all is well.
    sizes = [len(os.fsencode(text)) + 1 for text in command]
    sizes += [len(os.fsencode(name)) + len(os.fsencode(value)) + 2 for name, value in environment.items()]
    if max(sizes, default=0) > _LARGEST_ARGUMENT_BYTES or sum(sizes) + 8 * len(sizes) > os.sysconf("SC_ARG_MAX"):
        raise CannotContain("argument list too long")


def _who(root: Path, user: str) -> ImageUser:
    try:
        return image_user(root, user)
    except UnknownUser as unknown:
        raise CannotContain(str(unknown)) from unknown


def _volumes(folder: Path, isolation: Isolation) -> dict[str, str]:
    """The attempt's own volumes, made if this is the first of its containers that mounts them; and the folders of the
    host that are to be mounted and do not exist, as Docker makes them."""
    found = {}
    for mount in isolation.mounts:
        if mount.source is not None:
            if not Path(mount.source).exists():
                Path(mount.source).mkdir(parents=True)
            continue
        name = mount.volume or ""
        if "/" in name or name in ("", ".", ".."):
            raise CannotContain(f"{name!r} is no name of a volume")
        place = folder / name
        if not place.exists():
            place.mkdir(parents=True)
            place.chmod(_SHARED)
        found[name] = str(place)
    return found


def _files(folder: Path, network: str, hostname: str) -> dict[str, str]:
    """Copies, so that a container may change what it sees."""
    files = {}
    for path in _HOST_FILES:
        copy = folder / Path(path).name
        if network == "host":
            try:
                copy.write_bytes(Path(path).read_bytes())
            except OSError:
                continue
        else:
            text = {"hosts": f"127.0.0.1 localhost\n::1 localhost\n127.0.0.1 {hostname}\n", "hostname": f"{hostname}\n"}
            copy.write_text(text.get(copy.name, ""))
        copy.chmod(0o644)
        files[path] = str(copy)
    return files


# ------------------------------------------------------------------------------------------------------------- devices


def _devices(isolation: Isolation, gpus: tuple[int, ...]) -> Iterator[HostDevice]:
    if isolation.privileged:
        yield from _below(Path("/dev"), "/dev")
    for device in isolation.devices:
        yield from _asked(device)
    for path in (*(f"/dev/nvidia{number}" for number in gpus), *(_GPU_CONTROLS if gpus else ())):
        if Path(path).exists():
            yield from _below(Path(path), path)


def _asked(device: Device) -> Iterator[HostDevice]:
    if not {"r", "w"} <= set(device.permissions):
        raise CannotContain(
            f"device {device.host_path}: READ without WRITE, or the reverse, cannot be enforced by the oci executor"
        )
    try:
        found = list(_below(Path(device.host_path), device.path))
    except OSError as failure:
        found = []
        detail = (failure.strerror or "").lower()
    else:
        detail = "not a device node"
    if not found:
        raise CannotContain(
            f'error gathering device information while adding custom device "{device.host_path}": {detail}'
        )
    yield from found


def _below(source: Path, path: str) -> Iterator[HostDevice]:
    """The device at `source`, or all below it if it is a folder. Raises OSError."""
    found = source.stat()
    if stat.S_ISDIR(found.st_mode):
        for entry in sorted(source.iterdir()):
            if entry.name not in ("pts", "shm", "mqueue", "fd") and not entry.is_symlink():
                yield from _below(entry, f"{path}/{entry.name}")
    elif kind := _KINDS.get(stat.S_IFMT(found.st_mode)):
        major, minor = os.major(found.st_rdev), os.minor(found.st_rdev)
        yield HostDevice(path, kind, major, minor, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


# --------------------------------------------------------------------------------------------------- about this machine


@functools.cache
def _init() -> str | None:
    return next((path for path in _INITS if os.access(path, os.X_OK)), None)


@functools.cache
def _own_capabilities() -> frozenset[str]:
    """Those that this process has, by the names of capabilities(7)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            mask = int(line.split()[1], 16)
            return frozenset(name for bit, name in enumerate(_CAPABILITY_NAMES) if mask >> bit & 1)
    return frozenset()


_CAPABILITY_NAMES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER"),
    *("SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"),
    *("SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP"),
    *("MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"),
    "CHECKPOINT_RESTORE",
)
"""In the order of their bits."""
