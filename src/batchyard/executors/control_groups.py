"""Limits on attempts by the kernel's control groups, version 1 or 2, where this process may write them.

A group is made once and lent to one attempt after another, since making one costs the kernel more than starting
`true` does. They lie under a folder of the data folder's own (`batchyard-<digest>/slot-<n>`), so whoever comes after a
dead supervisor finds every process that it left behind, whatever sessions and parents they made for themselves.

How a process is born in its group: in version 1 the spawning thread enters (`tasks`, one thread, no lock), spawns, and
goes home. Version 2 moves whole processes only, so there the child enters before it becomes the command. The same is
done in version 1 when memory is scarce: the kernel might otherwise choose the spawner, while it visits, to be killed.

CPU shares of version 1 are given a little later (`settle`): a visit to a cpu group costs the spawner its turn on the
CPU, half a millisecond, and an attempt that has ended by then needs no share.
"""

import contextlib
import hashlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

MIB = 1 << 20
_ROOT = Path("/sys/fs/cgroup")
_CONTROLLERS = ("memory", "pids", "cpu")
_IDLE_GROUPS = 32
_SCARCE_MEMORY_MIB = 32
_SHARES_PER_VCPU = 1024
_LARGEST_SHARES = 262_144
_LARGEST_WEIGHT = 10_000
_PERIOD_MICROS = 100_000
_SMALLEST_QUOTA_MICROS = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one attempt may use. Groups are lent again to attempts with the same limits.

    `memory_mib` is a hard limit; `max_swap_mib` is what may be swapped out beside it. `pids` bounds its processes and
    threads, `vcpus` is its weight when CPUs are scarce (F 6.4), and with `quota` the most it may use. `swappiness` is
    how readily the kernel swaps, None for its own default. What is `seen_inside` a container, as its own root of the
    hierarchy, has all its limits from the start.
    """

    memory_mib: int
    max_swap_mib: int
    pids: int
    vcpus: float
    swappiness: int | None = None
    quota: bool = False
    seen_inside: bool = False


class Group(Protocol):
    """One attempt's control group."""

    visited: bool  # whether the spawning thread enters; else the child does (`enter` runs in the child)

    def enter(self) -> None:
        """Move the calling thread or process in. Raises OSError."""

    def leave(self) -> None:
        """Move the calling thread home again; only where `visited`. Raises OSError."""

    def settle(self) -> None:
        """The attempt has run for some milliseconds: limit what was not worth limiting before. Raises OSError."""

    def populated(self) -> bool:
        """Whether any process, were it a zombie, is in it."""

    def members(self) -> list[int]:
        """The ids of the processes in it."""

    def kill(self) -> None:
        """Send SIGKILL to all members; new ones that they are just making may remain, so ask `populated` and repeat."""

    def out_of_memory_kills(self) -> int:
        """How many processes the kernel killed for want of memory since the group was lent."""


class ControlGroups(Protocol):
    """The groups of one data folder."""

    unenforced: dict[str, str]
    """Which limits cannot be kept here, by member name of the service model, and why."""

    def lend(self, limits: Limits) -> Group | None:
        """An empty group with these limits, or None where nothing can be limited. Raises OSError."""

    def take_back(self, group: Group | None) -> None:
        """The attempt ended and its group is empty."""

    def left_over(self) -> list[int]:
        """Every process in any of these groups, to be called before the first `lend`."""

    def remove(self) -> None:
        """Remove all groups. What still has members stays."""


class NoControlGroups:
    """No groups, for the reason given; a process is limited by itself where its kernel knows how."""

    def __init__(self, reason: str) -> None:
        remedy = f"no control groups, since {reason}; run as root or in a delegated control group"
        self.unenforced = {
            "memory": f"memory is limited for each process of a job, not for the job: {remedy}",
            "vcpus": f"vCPU shares are not enforced: {remedy}",
        }

    def lend(self, limits: Limits) -> Group | None:
        """None, whatever the limits."""
        del limits
        return None

    def take_back(self, group: Group | None) -> None:
        """Nothing to do."""

    def left_over(self) -> list[int]:
        """None are known."""
        return []

    def remove(self) -> None:
        """Nothing to do."""


def control_groups(data: Path) -> ControlGroups:
    """The best that this process may use for a data folder. Makes the folder's own part of the hierarchy."""
    name = "batchyard-" + hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:12]
    homes = _homes()
    v1 = {
        controller: folder
        for controller in _CONTROLLERS
        if controller in homes and (folder := _first_writable(_ROOT / controller, homes[controller], name))
    }
    if "memory" in v1:
        return _Pool(_VersionOneKind(v1, homes))
    if "" in homes and (_ROOT / "cgroup.controllers").exists() and (folder := _version_two_folder(homes[""], name)):
        return _Pool(_VersionTwoKind(folder))
    if "pids" in v1:
        return _Pool(_VersionOneKind(v1, homes))
    return NoControlGroups("this process may not write them")


def _homes() -> dict[str, str]:
    """Where this process is, by controller; version 2 is the empty name."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return {}
    homes = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        homes.update(dict.fromkeys(controllers.split(","), path))
    return homes


def _first_writable(mount: Path, home: str, name: str) -> Path | None:
    for parent in (mount, mount / home.lstrip("/")):
        folder = parent / name
        if _make(folder) and os.access(folder / "tasks", os.W_OK):
            return folder
    return None


def _version_two_folder(home: str, name: str) -> Path | None:
    """The first place from the root down to our own group where memory can be limited and processes moved."""
    here = _ROOT
    places = [here, *((here := here / part) for part in home.strip("/").split("/") if part)]
    for parent in places:
        folder = parent / name
        if not _make(folder):
            continue
        for switch in (parent / "cgroup.subtree_control", folder / "cgroup.subtree_control"):
            for controller in _CONTROLLERS:
                with contextlib.suppress(OSError):
                    _put(switch, f"+{controller}")
        probe = folder / "probe"
        if _make(probe) and (probe / "memory.max").exists() and _may_enter(probe):
            with contextlib.suppress(OSError):
                probe.rmdir()
            return folder
        for left in (probe, folder):
            with contextlib.suppress(OSError):
                left.rmdir()
    return None


def _may_enter(group: Path) -> bool:
    """Whether a child of this process can be moved into the group; the child tries, and ends."""
    child = os.fork()
    if child == 0:
        try:
            _put(group / "cgroup.procs", "0")
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _make(folder: Path) -> bool:
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return False
    return True


def _put(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _counter(descriptor: int, name: bytes) -> int:
    """The number after `name` in an open file of `name number` lines; 0 if there is none."""
    for line in os.pread(descriptor, 4096, 0).splitlines() if descriptor >= 0 else ():
        key, _, value = line.partition(b" ")
        if key == name:
            return int(value)
    return 0


def _quota(vcpus: float) -> int:
    return max(_SMALLEST_QUOTA_MICROS, round(vcpus * _PERIOD_MICROS))


def _pids(path: Path) -> list[int]:
    try:
        return [int(line) for line in path.read_text().split()]
    except OSError:
        return []


class _Slot:
    """A group and its open files, by name: opening one costs more than reading it."""

    visited = False

    def __init__(self, limits: Limits, folders: list[Path]) -> None:
        self.limits = limits
        self.folders = folders
        self._usage = -1
        self._kills = -1
        self._kills_before = 0
        self._doors: list[int] = []
        self._open: list[int] = []

    def _opened(self, path: Path, flags: int = os.O_RDONLY) -> int:
        descriptor = os.open(path, flags | os.O_CLOEXEC)
        self._open.append(descriptor)
        return descriptor

    def _door(self, path: Path) -> None:
        self._doors.append(self._opened(path, os.O_WRONLY))

    def enter(self) -> None:
        for door in self._doors:
            os.write(door, b"0")

    def lent(self) -> None:
        self._kills_before = _counter(self._kills, b"oom_kill")

    def out_of_memory_kills(self) -> int:
        return _counter(self._kills, b"oom_kill") - self._kills_before

    def reusable(self) -> bool:
        """Whether the last attempt left the group nearly empty of memory (its files in the page cache count)."""
        return self._usage < 0 or int(os.pread(self._usage, 32, 0)) * 4 <= self.limits.memory_mib * MIB

    def close(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()

    def members(self) -> list[int]:
        return _pids(self.folders[0] / "cgroup.procs")

    def kill(self) -> None:
        for process_id in self.members():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process_id, signal.SIGKILL)


class _VersionOneSlot(_Slot):
    def __init__(self, limits: Limits, kind: "_VersionOneKind", folders: dict[str, Path], cpu: Path | None) -> None:
        super().__init__(limits, list(folders.values()))
        self._kind = kind
        self._cpu = cpu
        self._cpu_door = -1
        self.visited = limits.memory_mib >= _SCARCE_MEMORY_MIB
        self._count = -1
        if memory := folders.get("memory"):
            self._limit_memory(memory)
            self._usage = self._opened(memory / "memory.usage_in_bytes")
            self._kills = self._opened(memory / "memory.oom_control")
        if pids := folders.get("pids"):
            _put(pids / "pids.max", str(limits.pids))
            self._count = self._opened(pids / "pids.current")
        if self._cpu is not None and limits.seen_inside:
            self._limit_cpu(self._cpu)
        for folder in self.folders:
            self._door(folder / "tasks")

    def _limit_memory(self, memory: Path) -> None:
        size = self.limits.memory_mib * MIB
        _put(memory / "memory.limit_in_bytes", str(size))
        with contextlib.suppress(FileNotFoundError):
            _put(memory / "memory.memsw.limit_in_bytes", str(size + self.limits.max_swap_mib * MIB))
        if not self.limits.max_swap_mib:
            _put(memory / "memory.swappiness", "0")
        elif self.limits.swappiness is not None:
            _put(memory / "memory.swappiness", str(self.limits.swappiness))

    def _limit_cpu(self, cpu: Path) -> None:
        cpu.mkdir(exist_ok=True)
        shares = round(self.limits.vcpus * _SHARES_PER_VCPU)
        _put(cpu / "cpu.shares", str(max(2, min(_LARGEST_SHARES, shares))))
        if self.limits.quota:
            _put(cpu / "cpu.cfs_quota_us", str(_quota(self.limits.vcpus)))
        self._cpu_door = self._opened(cpu / "cgroup.procs", os.O_WRONLY)
        self.folders.append(cpu)

    def leave(self) -> None:
        for door in self._kind.home_doors:
            os.write(door, b"0")
        if self.limits.seen_inside and self._cpu is not None:
            os.write(self._kind.home_cpu, b"0")

    def settle(self) -> None:
        """Move every member to a cpu group of its own; those forked meanwhile come in the next round."""
        if self._cpu is None or self.limits.seen_inside:
            return
        if self._cpu_door < 0:
            self._limit_cpu(self._cpu)
        moved: set[int] = set()
        while new := set(self.members()) - moved:
            for process_id in new:
                with contextlib.suppress(ProcessLookupError):
                    os.write(self._cpu_door, str(process_id).encode())
            moved |= new

    def populated(self) -> bool:
        if self._count >= 0:
            return os.pread(self._count, 16, 0) != b"0\n"
        return bool(self.members())


class _VersionTwoSlot(_Slot):
    def __init__(self, limits: Limits, folder: Path) -> None:
        super().__init__(limits, [folder])
        for name, value in (
            ("memory.max", limits.memory_mib * MIB),
            ("memory.swap.max", limits.max_swap_mib * MIB),
            ("pids.max", limits.pids),
            ("cpu.weight", max(1, min(_LARGEST_WEIGHT, round(limits.vcpus * 100)))),
            ("cpu.max", f"{_quota(limits.vcpus)} {_PERIOD_MICROS}" if limits.quota else f"max {_PERIOD_MICROS}"),
        ):
            with contextlib.suppress(FileNotFoundError):  # The controller is not delegated, or the kernel lacks swap.
                _put(folder / name, str(value))
        self._door(folder / "cgroup.procs")
        self._events = self._opened(folder / "cgroup.events")
        with contextlib.suppress(FileNotFoundError):
            self._usage = self._opened(folder / "memory.current")
            self._kills = self._opened(folder / "memory.events")

    def leave(self) -> None:
        """Nothing to do: the spawner never enters."""

    def settle(self) -> None:
        """Nothing to do: one group holds all limits."""

    def populated(self) -> bool:
        return _counter(self._events, b"populated") != 0

    def kill(self) -> None:
        try:
            _put(self.folders[0] / "cgroup.kill", "1")
        except OSError:  # before Linux 5.14
            super().kill()


class _VersionOneKind:
    """Where version 1 groups are made, and the way home from them."""

    def __init__(self, folders: dict[str, Path], homes: dict[str, str]) -> None:
        self.roots = list(folders.values())
        self._cpu = folders.get("cpu")
        self._entered = {controller: folder for controller, folder in folders.items() if controller != "cpu"}
        self.unenforced = {}
        if "memory" not in folders:
            self.unenforced["memory"] = "memory limits are not enforced: the memory controller cannot be written"
        if "cpu" not in folders:
            self.unenforced["vcpus"] = "vCPU shares are not enforced: the cpu controller cannot be written"
        if "memory" in folders and not (folders["memory"] / "memory.memsw.limit_in_bytes").exists():
            self.unenforced["linuxParameters.maxSwap"] = "swap is not accounted (kernel parameter swapaccount=1)"
        self.home_doors = [self._home_door(controller, homes) for controller in self._entered]
        self.home_cpu = self._home_door("cpu", homes) if self._cpu else -1

    def _home_door(self, controller: str, homes: dict[str, str]) -> int:
        return os.open(_ROOT / controller / homes[controller].lstrip("/") / "tasks", os.O_WRONLY | os.O_CLOEXEC)

    def make(self, number: int, limits: Limits) -> _VersionOneSlot:
        made = {controller: folder / f"slot-{number}" for controller, folder in self._entered.items()}
        for folder in made.values():
            folder.mkdir(exist_ok=True)
        return _VersionOneSlot(limits, self, made, self._cpu / f"slot-{number}" if self._cpu else None)


class _VersionTwoKind:
    """Where version 2 groups are made."""

    def __init__(self, folder: Path) -> None:
        self.roots = [folder]
        controllers = (folder / "cgroup.subtree_control").read_text().split()
        self.unenforced = {
            member: f"{what} are not enforced: the {controller} controller is not delegated to this process"
            for controller, member, what in (("memory", "memory", "memory limits"), ("cpu", "vcpus", "vCPU shares"))
            if controller not in controllers
        }

    def make(self, number: int, limits: Limits) -> _VersionTwoSlot:
        folder = self.roots[0] / f"slot-{number}"
        folder.mkdir(exist_ok=True)
        return _VersionTwoSlot(limits, folder)


class _Pool:
    """Lends groups, and keeps a few for the next attempt with equal limits."""

    def __init__(self, kind: _VersionOneKind | _VersionTwoKind) -> None:
        self._kind = kind
        self._made = 0
        self._idle: dict[Limits, list[_VersionOneSlot | _VersionTwoSlot]] = {}
        self._idle_count = 0
        self.unenforced = kind.unenforced

    def lend(self, limits: Limits) -> Group | None:
        """An idle group with these limits, or a new one."""
        idle = self._idle.get(limits)
        if idle:
            slot = idle.pop()
            self._idle_count -= 1
        else:
            self._made += 1
            slot = self._kind.make(self._made, limits)
        slot.lent()
        return slot

    def take_back(self, group: Group | None) -> None:
        """Keep the group for another attempt, unless enough are kept or memory lingers in it."""
        if not isinstance(group, _VersionOneSlot | _VersionTwoSlot):
            return
        with contextlib.suppress(OSError, ValueError):
            if self._idle_count < _IDLE_GROUPS and group.reusable():
                self._idle.setdefault(group.limits, []).append(group)
                self._idle_count += 1
                return
        self._remove(group)

    def _remove(self, group: _VersionOneSlot | _VersionTwoSlot) -> None:
        group.close()
        for folder in group.folders:
            with contextlib.suppress(OSError):
                folder.rmdir()

    def left_over(self) -> list[int]:
        """Every process in a group of this data folder."""
        return [
            process_id
            for root in self._kind.roots
            for members in root.glob("*/cgroup.procs")
            for process_id in _pids(members)
        ]

    def remove(self) -> None:
        """Remove what can be removed, idle groups and those of a dead supervisor alike."""
        for idle in self._idle.values():
            for slot in idle:
                slot.close()
        self._idle.clear()
        self._idle_count = 0
        deadline = time.monotonic() + 1
        for root in self._kind.roots:
            folders = [*(path.parent for path in root.glob("*/cgroup.procs")), root]
            for folder in folders:
                while not _removed(folder) and time.monotonic() < deadline:
                    time.sleep(0.005)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
