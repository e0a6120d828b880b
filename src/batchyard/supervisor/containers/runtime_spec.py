"""The OCI runtime specification of one container: a pure function of the order, the image and the machine.

What is not said by the job is as Docker has it: the same capabilities, hidden paths and mounts. Control groups are not
in it: crun is started in the attempt's own group, which has the limits, and everything in the container inherits it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchyard.executors.interface import Container, Isolation, Mount, Tmpfs, Ulimit
from batchyard.supervisor.containers.image import Image
from batchyard.supervisor.containers.image_user import ImageUser

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INIT = "/dev/init"
"""Where the reaper of orphans appears in a container."""

DEFAULT_SHARED_MEMORY_MIB = 64
CAPABILITIES = frozenset(
    {"CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP"}
    | {"NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"}
)
"""Docker's, without MKNOD: a node that no rule of a control group guards would open every device of the host."""

_MASKED = [
    *("/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats"),
    *("/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"),
    *("/sys/devices/virtual/powercap",),
]
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - the place that POSIX shared memory has
_TMPFS_DEFAULTS = {"exec": "noexec", "suid": "nosuid", "dev": "nodev"}
_NO_LIMIT = (1 << 64) - 1


class CannotContain(Exception):
    """The container cannot be made as asked; the text is for container.reason."""


@dataclass(frozen=True, slots=True)
class HostDevice:
    """A device node as it is to be in the container."""

    path: str
    kind: str
    major: int
    minor: int
    mode: int
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True)
class Ground:
    """What the machine gives a container.

    `root` is its mounted root, `volumes` the folder of each volume of the attempt by name, `files` what stands for
    files such as /etc/hosts, `capabilities` all that the supervisor has itself (without `CAP_`), `init` the reaper's
    file if there is one, `ulimits` those of a container that names none, `network` is `host` or `none`.
    """

    root: str
    hostname: str
    network: str
    capabilities: frozenset[str]
    volumes: Mapping[str, str]
    files: Mapping[str, str]
    devices: Sequence[HostDevice] = ()
    ulimits: Sequence[Ulimit] = ()
    init: str | None = None


def runtime_spec(
    container: Container, image: Image, who: ImageUser, environment: Mapping[str, str], ground: Ground
) -> dict[str, Any]:
    """config.json. `environment` is all that the container gets beside the image's. Raises CannotContain."""
    isolation = container.isolation or Isolation()
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": who.uid, "gid": who.gid, "additionalGids": list(who.groups)},
            "args": _arguments(container, isolation, image, ground),
            "env": [f"{name}={value}" for name, value in _environment(image, who, environment, ground).items()],
            "cwd": image.working_folder or "/",
            "capabilities": _capabilities(isolation, ground),
            "rlimits": _rlimits(container, ground),
            "noNewPrivileges": isolation.no_new_privileges,
        },
        "root": {"path": ground.root, "readonly": isolation.read_only_root},
        "hostname": ground.hostname,
        "mounts": [*_mounts(isolation, ground), *_asked_mounts(isolation, ground)],
        "linux": {
            "namespaces": [{"type": kind} for kind in _namespaces(isolation, ground)],
            "devices": [_device(device) for device in ground.devices],
            "maskedPaths": [] if isolation.privileged else _MASKED,
            "readonlyPaths": [] if isolation.privileged else _READ_ONLY,
        },
    }


def _arguments(container: Container, isolation: Isolation, image: Image, ground: Ground) -> list[str]:
    """Entry point and command; an entry point of the job's own leaves out the image's command, as with Docker."""
    replaced = isolation.entry_point is not None
    entry_point = isolation.entry_point if isolation.entry_point is not None else image.entry_point
    command = container.command or (() if replaced else image.command)
    arguments = [*entry_point, *command]
    if not arguments:
        raise CannotContain("no command specified")
    if not isolation.init_process:
        return arguments
    if ground.init is None:
        raise CannotContain("initProcessEnabled needs catatonit or tini on this machine")
    return [INIT, "--", *arguments]


def _environment(image: Image, who: ImageUser, environment: Mapping[str, str], ground: Ground) -> dict[str, str]:
    found = {"PATH": DEFAULT_PATH, "HOSTNAME": ground.hostname, "HOME": who.home}
    found.update((name, value) for name, _, value in (pair.partition("=") for pair in image.environment))
    found.update(environment)
    return found


def _capabilities(isolation: Isolation, ground: Ground) -> dict[str, list[str]]:
    added, dropped = _names(isolation.capabilities_added), _names(isolation.capabilities_dropped)
    wanted = set() if "ALL" in dropped else set(CAPABILITIES)
    if isolation.privileged or "ALL" in added:
        wanted = set(ground.capabilities)
    wanted = (wanted | (added - {"ALL"})) - dropped
    if missing := (added - {"ALL"}) - ground.capabilities:
        raise CannotContain(f"this machine has no capability {', '.join(sorted(missing))} to give")
    names = sorted(f"CAP_{name}" for name in wanted & ground.capabilities)
    return dict.fromkeys(("bounding", "effective", "permitted"), names)


def _names(given: Sequence[str]) -> set[str]:
    return {name.upper().removeprefix("CAP_") for name in given}


def _rlimits(container: Container, ground: Ground) -> list[dict[str, Any]]:
    limits = {ulimit.name: ulimit for ulimit in (*ground.ulimits, *container.ulimits)}
    return [
        {
            "type": f"RLIMIT_{ulimit.name.upper()}",
            "soft": _NO_LIMIT if ulimit.soft_limit == -1 else ulimit.soft_limit,
            "hard": _NO_LIMIT if ulimit.hard_limit == -1 else ulimit.hard_limit,
        }
        for ulimit in limits.values()
    ]


def _namespaces(isolation: Isolation, ground: Ground) -> list[str]:
    kinds = ["mount", "uts", "cgroup"]
    if isolation.pid_mode != "host":
        kinds.append("pid")
    if isolation.ipc_mode != "host":
        kinds.append("ipc")
    if ground.network == "none":
        kinds.append("network")
    return kinds


def _device(device: HostDevice) -> dict[str, Any]:
    return {
        "path": device.path,
        "type": device.kind,
        "major": device.major,
        "minor": device.minor,
        "fileMode": device.mode,
        "uid": device.uid,
        "gid": device.gid,
    }


# -------------------------------------------------------------------------------------------------------------- mounts


def _mounts(isolation: Isolation, ground: Ground) -> list[dict[str, Any]]:
    """What every container has."""
    change = "rw" if isolation.privileged else "ro"
    strict = ["nosuid", "noexec", "nodev"]
    mounts = [
        _mount("/proc", "proc", strict),
        _mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        _mount("/dev/mqueue", "mqueue", strict),
        _mount("/sys", "sysfs", [*strict, change]),
        _mount("/sys/fs/cgroup", "cgroup", [*strict, change]),
    ]
    if isolation.ipc_mode == "host":
        mounts.append(_bind(_SHARED_MEMORY, _SHARED_MEMORY, ["rw"]))
    else:
        size = isolation.shared_memory_mib or DEFAULT_SHARED_MEMORY_MIB
        mounts.append(_mount(_SHARED_MEMORY, "tmpfs", [*strict, "mode=1777", f"size={size}m"], source="shm"))
    mounts += [_bind(path, source, ["rw", "nodev"]) for path, source in ground.files.items()]
    if isolation.init_process and ground.init:
        mounts.append(_bind(INIT, ground.init, ["ro", "nodev"]))
    return mounts


def _asked_mounts(isolation: Isolation, ground: Ground) -> list[dict[str, Any]]:
    """Those of the job, outer folders first so that none hides another."""
    asked = [(m.path, _volume(m, isolation, ground)) for m in isolation.mounts]
    asked += [(tmpfs.path, _tmpfs(tmpfs)) for tmpfs in isolation.tmpfs]
    return [mount for _, mount in sorted(asked, key=lambda pair: pair[0].rstrip("/").count("/"))]


def _volume(mount: Mount, isolation: Isolation, ground: Ground) -> dict[str, Any]:
    source = mount.source if mount.source is not None else ground.volumes[mount.volume or ""]
    # Without a guard of control groups on devices, a node in a folder of the host must not open one.
    guard = [] if isolation.privileged else ["nodev"]
    return _bind(mount.path, source, ["ro" if mount.read_only else "rw", *guard])


def _tmpfs(tmpfs: Tmpfs) -> dict[str, Any]:
    given = set(tmpfs.options)
    defaults = [deny for allow, deny in _TMPFS_DEFAULTS.items() if allow not in given]
    sized = [] if any(option.startswith("mode=") for option in given) else ["mode=1777"]
    kept = [option for option in tmpfs.options if option not in ("defaults", *_TMPFS_DEFAULTS.values())]
    return _mount(tmpfs.path, "tmpfs", [*defaults, *kept, *sized, f"size={tmpfs.size_mib}m"])


def _mount(path: str, kind: str, options: list[str], source: str | None = None) -> dict[str, Any]:
    return {"destination": path, "type": kind, "source": source or kind, "options": options}


def _bind(path: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": path, "type": "bind", "source": source, "options": ["rbind", "rprivate", *options]}
