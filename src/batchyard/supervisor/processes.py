"""What /proc says about processes: who belongs to an attempt, where no control group does.

Three signs tell it, each of which survives what the others do not: the container's mark in the environment that a
process was started with, the session of the container's main process, and descent from that process. The supervisor is
the reaper of all its descendants, so an orphan's parent is the supervisor.
"""

import contextlib
import os
import signal
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from batchyard.core.ids import AttemptId
from batchyard.supervisor.launching import ATTEMPT_VARIABLE

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One line of the process table; `started` is in clock ticks since boot."""

    process_id: int
    parent: int
    group: int
    session: int
    started: int
    is_zombie: bool


def process(process_id: int) -> Process | None:
    """What runs under this id, if anything does."""
    try:
        text = (_PROC / str(process_id) / "stat").read_text(errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()  # The name before may hold anything.
    return Process(
        process_id, int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]), is_zombie=fields[0] in "ZX"
    )


def all_processes() -> list[Process]:
    """The process table, without what is dead and only waits to be reaped."""
    found = (process(int(name)) for name in os.listdir(_PROC) if name.isdigit())  # noqa: PTH208
    return [entry for entry in found if entry and not entry.is_zombie]


def mark(process_id: int) -> str | None:
    """The mark of the container whose environment this process was started in, if it can be read and has one."""
    try:
        environment = (_PROC / str(process_id) / "environ").read_bytes()
    except OSError:
        return None
    prefix = f"{ATTEMPT_VARIABLE}=".encode()
    for variable in environment.split(b"\0"):
        if variable.startswith(prefix):
            return variable[len(prefix) :].decode("ascii", "replace")
    return None


def members(container_mark: str, main: int) -> list[int]:
    """Every process of the container whose main process has, or had, this id."""
    table = all_processes()
    ours = {entry.process_id for entry in table if entry.session == main or entry.process_id == main}
    ours |= {entry.process_id for entry in table if mark(entry.process_id) == container_mark}
    return sorted(_with_descendants(ours, table))


def orphans(main_processes: Collection[int]) -> list[int]:
    """Our living children that are no container's main process. Costs two reads, whatever else runs on the machine.

    Between being listed and being looked at, a child may die and leave us its own children. The list is then no longer
    what it was, and is gone through once more.
    """
    children = _children()
    while True:
        found = [
            child
            for child in children
            if child not in main_processes and (entry := process(child)) and not entry.is_zombie
        ]
        before, children = children, _children()
        if children == before:
            return found


def _children() -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return [entry.process_id for entry in all_processes() if entry.parent == os.getpid()]


def left_over(attempt_ids: Collection[AttemptId], mains: Iterable[tuple[int, int]]) -> list[int]:
    """Processes of attempts that an earlier supervisor ran. `mains` are the ids of their main processes with the ticks
    at which those started, so that a process that has since got the same id is let alone."""
    table = all_processes()
    by_id = {entry.process_id: entry for entry in table}
    ours = {entry.process_id for entry in table if _attempt_of(entry.process_id) in attempt_ids}
    for main, started in mains:
        leader = by_id.get(main)
        if leader is None or leader.started == started:
            ours |= {entry.process_id for entry in table if entry.session == main and entry.started >= started}
    return sorted(_with_descendants(ours, table) - {os.getpid()})


def _attempt_of(process_id: int) -> str | None:
    found = mark(process_id)
    return None if found is None else found.partition(".")[0]


def _with_descendants(roots: set[int], table: list[Process]) -> set[int]:
    found = set(roots)
    grew = True
    while grew:
        more = {entry.process_id for entry in table if entry.parent in found} - found
        found |= more
        grew = bool(more)
    return found


def send(signal_number: signal.Signals, process_ids: Iterable[int]) -> None:
    """Signal them all; the dead and those that are not ours to signal are passed over."""
    for process_id in process_ids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process_id, signal_number)


def marked(container_mark: str) -> list[int]:
    """Every process of a container, as far as environments and descent tell, for whoever does not supervise it."""
    table = all_processes()
    ours = {entry.process_id for entry in table if mark(entry.process_id) == container_mark}
    return sorted(_with_descendants(ours, table))
