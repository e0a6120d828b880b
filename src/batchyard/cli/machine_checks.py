"""What this machine can run, looked at from outside: one small function for each thing that may be in the way."""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from batchyard.executors import oci
from batchyard.executors.control_groups import control_groups
from batchyard.executors.machine import machine_capacity
from batchyard.executors.supervisor_protocol import connect
from batchyard.server.data_folder import serving_process
from batchyard.store.database import sqlite_version

OLDEST_PYTHON = (3, 11)
OLDEST_SQLITE = (3, 35, 0)
"""The first with RETURNING."""

FREE_MIB_MIN = 1024
_MIB = 1 << 20
_START_API = {
    "docker": "Start it: systemctl start docker.",
    "podman": "Start its API, if jobs are to run on it: systemctl start podman.socket.",
}


class Level(StrEnum):
    """fail: a server cannot work. warn: it works, with less than it could."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and how to make it better (empty if nothing need be)."""

    name: str
    level: Level
    detail: str
    remedy: str = ""

    def as_json(self) -> dict[str, str]:
        """The members of the JSON output."""
        return asdict(self)


def findings(data: Path, host: str, port: int) -> Iterator[Finding]:
    """Look at everything that serving this data folder at this address takes. Nothing is left changed."""
    yield _python()
    yield _sqlite()
    yield from _capacity()
    yield _user()
    yield from _limits()
    yield from _engines(data)
    yield from _data_folder(data)
    yield _server(data, host, port)
    yield _supervisor(data)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("python", Level.FAIL, found, "Install Python 3.11 or newer.")
    return Finding("python", Level.OK, f"{found}, {sys.executable}")


def _sqlite() -> Finding:
    version = ".".join(map(str, sqlite_version()))
    if sqlite_version() < OLDEST_SQLITE:
        return Finding("sqlite", Level.FAIL, version, "Use a Python built with SQLite 3.35 or newer.")
    return Finding("sqlite", Level.OK, version)


def _capacity() -> Iterator[Finding]:
    capacity = machine_capacity()
    all_cpus = os.cpu_count() or 1
    of = f" of {all_cpus}" if capacity.vcpus < all_cpus else ""
    yield Finding("vcpus", Level.OK, f"{capacity.vcpus:g}{of} for jobs")
    yield Finding("memory", Level.OK, f"{capacity.memory_mib:,} MiB for jobs")
    yield Finding("gpus", Level.OK, f"{capacity.gpus} NVIDIA" if capacity.gpus else "none")


def _user() -> Finding:
    if os.geteuid() == 0:
        return Finding("user", Level.OK, "root: jobs may name any user to run as")
    return Finding(
        "user",
        Level.WARN,
        f"user id {os.geteuid()}: jobs run as this user, and those that name another fail to start",
        "Serve as root if jobs name users.",
    )


def _limits() -> Iterator[Finding]:
    """Tries with a folder of its own, so that the groups of a supervisor at work are not touched."""
    version = 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1
    with tempfile.TemporaryDirectory(prefix="batchyard-doctor-") as folder:
        groups = control_groups(Path(folder))
        unenforced = dict(groups.unenforced)
        groups.remove()
    for member, name in (
        ("memory", "memory limit"),
        ("vcpus", "vCPU shares"),
        ("linuxParameters.maxSwap", "swap limit"),
    ):
        reason = unenforced.get(member)
        if reason is None:
            yield Finding(name, Level.OK, f"enforced by control groups version {version}")
        else:
            remedy = "Serve as root, or start it with `systemd-run --user --scope -p Delegate=yes batchyard serve`."
            yield Finding(name, Level.WARN, reason, "" if member == "linuxParameters.maxSwap" else remedy)


def _engines(data: Path) -> Iterator[Finding]:
    """Which container engines answer, what they are, and what they cannot enforce."""
    from batchyard.containers.finding import ENGINES, find_engine, unenforced

    for engine in ENGINES:
        found = find_engine(engine)
        installed = shutil.which(engine)
        if found is not None:
            facts = found[1]
            limits = f"cgroup v{facts.cgroup_version}, {'rootless' if facts.is_rootless else 'as root'}"
            yield Finding(engine, Level.OK, f"{facts.version} answers at {facts.address} ({limits})")
            for member, reason in unenforced(facts).items():
                why, _, remedy = reason.partition("; ")
                yield Finding(f"{engine}: {member}", Level.WARN, why, remedy[:1].upper() + remedy[1:] + ".")
        elif installed:
            yield Finding(engine, Level.OK, f"{installed}, its API does not answer", _START_API[engine])
        else:
            yield Finding(engine, Level.OK, "not installed")
    yield from _oci(data)


def _oci(data: Path) -> Iterator[Finding]:
    """Whether containers can be run without an engine, and what cannot be enforced in them."""
    if obstacles := list(oci.obstacles(data)):
        remedy = "See what to do about each, or use --executor process, for which images do not matter."
        yield Finding("oci executor", Level.WARN, "; ".join(obstacles), remedy)
        return
    yield Finding("oci executor", Level.OK, f"can run containers: {oci.versions()}")
    for member, reason in oci.NOT_HONOURED.items():
        yield Finding(member, Level.OK, reason)


def _data_folder(data: Path) -> Iterator[Finding]:
    """The folder need not exist: then the nearest of its parents that does has to take it."""
    place = next(folder for folder in (data, *data.parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        yield Finding("data folder", Level.FAIL, f"{place} cannot be written", "Choose another folder with --data.")
        return
    yield Finding("data folder", Level.OK, f"{data}{'' if place == data else ', to be made'}")
    free = shutil.disk_usage(place).free // _MIB
    if free < FREE_MIB_MIN:
        yield Finding("free space", Level.WARN, f"{free:,} MiB", "Free some, or choose another folder with --data.")
    else:
        yield Finding("free space", Level.OK, f"{free:,} MiB")


def _server(data: Path, host: str, port: int) -> Finding:
    try:
        process_id = serving_process(data)
    except (OSError, ValueError):
        process_id = None
    if process_id is not None:
        return Finding("server", Level.OK, f"process {process_id} serves {data}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as problem:
        detail = f"{host} port {port}: {problem.strerror or problem}"
        return Finding("server", Level.FAIL, detail, "Choose another port with --port, or end what listens there.")
    return Finding("server", Level.OK, f"not running; {host} port {port} is free")


def _supervisor(data: Path) -> Finding:
    try:
        connect(data).close()
    except OSError:
        return Finding("supervisor", Level.OK, "not running; the server starts it")
    return Finding("supervisor", Level.OK, "running")
