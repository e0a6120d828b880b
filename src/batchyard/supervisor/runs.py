"""The runs of containers: each from the start of its main process until nothing is left of it.

Ending takes steps, each of which may have to wait: the main process has exited; the rest of its tree is killed and
gone; its last output is in the log. Only then is the run over.
"""

import contextlib
import fcntl
import heapq
import itertools
import os
import signal
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from batchyard.core import reasons
from batchyard.core.ids import AttemptId, Millis, container_id
from batchyard.executors.control_groups import ControlGroups, Group, Limits
from batchyard.executors.interface import Container
from batchyard.logs.writer import AttemptLogWriter
from batchyard.supervisor import processes
from batchyard.supervisor.launching import CannotStart, Starter, identity, job_environment, limit_data, mark_of

_READ_BYTES = 1 << 16
_BUSY_PIPE_BYTES = 1 << 20
_LOOK_AGAIN_SECONDS = 0.005


class OutputWatch(Protocol):
    """Tells when a descriptor can be read (an epoll and its table of callbacks)."""

    def add(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call `ready` whenever the descriptor can be read."""

    def remove(self, descriptor: int) -> None:
        """Call no more; to be done before the descriptor is closed."""


@dataclass(slots=True, eq=False)
class Run:
    """One container's run. `closing` means that its tree is to be killed, exit code or not."""

    attempt_id: AttemptId
    position: int
    container: Container
    log: AttemptLogWriter
    output: int
    group: Group | None
    process_id: int
    started_at: Millis
    read_bytes: int = _READ_BYTES
    exit_code: int | None = None
    reason: str | None = None
    kill_at: float | None = None
    closing: bool = False

    @property
    def mark(self) -> str:
        """What its processes carry."""
        return mark_of(self.attempt_id, self.position)


def now_millis() -> Millis:
    """The wall clock."""
    return Millis(time.time_ns() // 1_000_000)


class Runs:
    """All runs of this supervisor. `over` is called once for each, when nothing is left of it. `bystanders` are other
    children of this process, which belong to no run."""

    def __init__(
        self,
        data: Path,
        groups: ControlGroups,
        watch: OutputWatch,
        over: Callable[[Run], None],
        pids_limit: int,
        bystanders: Callable[[], Collection[int]],
    ) -> None:
        self.log_cap_bytes: int | None = None
        self._logs = data / "logs"
        self._groups = groups
        self._watch = watch
        self._over = over
        self._pids_limit = pids_limit
        self._bystanders = bystanders
        self._starter = Starter()
        self._by_process: dict[int, Run] = {}
        self._closing: dict[Run, None] = {}
        self._due: list[tuple[float, int, Run]] = []
        self._numbers = itertools.count()
        self._number = 0

    # --------------------------------------------------------------------------------------------- start and stop

    def start(
        self,
        attempt_id: AttemptId,
        position: int,
        container: Container,
        folder: Path,
        gpus: tuple[int, ...],
        hide_gpus: bool,
    ) -> Run:
        """Start a container's main process in `folder`, with these of the machine's GPUs. Raises CannotStart."""
        who = identity(container.user)
        environment = job_environment(mark_of(attempt_id, position), container, who.home, gpus, hide_gpus)
        with contextlib.ExitStack() as undo:
            try:
                output, into = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
                undo.callback(os.close, output)
                os.set_blocking(into, True)
                undo.callback(os.close, into)
                group = self._groups.lend(self._limits(container))
                undo.callback(self._groups.take_back, group)
            except (OSError, ValueError) as failure:
                raise CannotStart(f"the machine has no room for it: {failure}") from failure
            process_id = self._starter.start(container, who, environment, folder, into, group)
            undo.pop_all()
        if group is None:
            limit_data(process_id, container.memory_mib + (container.max_swap_mib or 0))
        os.close(into)
        log = AttemptLogWriter(self._logs, container_id(attempt_id, position), self.log_cap_bytes)
        run = Run(attempt_id, position, container, log, output, group, process_id, now_millis())
        self._by_process[process_id] = run
        self._number += 1
        self._watch.add(output, lambda: self._take_output(run))
        return run

    def _limits(self, container: Container) -> Limits:
        swap = max(0, container.max_swap_mib or 0)
        return Limits(max(1, container.memory_mib), swap, self._pids_limit, container.vcpus)

    def stop(self, run: Run, grace_seconds: float) -> None:
        """SIGTERM to its tree, SIGKILL when the grace is over; a later call may only shorten the grace."""
        if run.exit_code is not None:
            return
        kill_at = time.monotonic() + max(0.0, grace_seconds)
        if run.kill_at is None:
            processes.send(signal.SIGTERM, self._members(run))
        if run.kill_at is None or kill_at < run.kill_at:
            run.kill_at = kill_at
            heapq.heappush(self._due, (kill_at, next(self._numbers), run))

    # --------------------------------------------------------------------------------------------------- output

    def _take_output(self, run: Run) -> None:
        """One bounded helping, so that a container that writes without end slows only itself."""
        try:
            chunk = os.read(run.output, run.read_bytes)
        except BlockingIOError:
            return
        if not chunk:
            self._close_output(run)
            return
        run.log.write(chunk, now_millis())
        if len(chunk) == run.read_bytes == _READ_BYTES:
            with contextlib.suppress(OSError):  # The machine's pages for pipes may be spent.
                fcntl.fcntl(run.output, fcntl.F_SETPIPE_SZ, _BUSY_PIPE_BYTES)
            run.read_bytes = _BUSY_PIPE_BYTES

    def _drain(self, run: Run) -> None:
        """What the pipe still holds; not more than a pipe can hold, should a stranger have been given its other end."""
        left = _BUSY_PIPE_BYTES
        while run.output >= 0 and left > 0:
            try:
                chunk = os.read(run.output, _READ_BYTES)
            except BlockingIOError:
                break
            if not chunk:
                break
            run.log.write(chunk, now_millis())
            left -= len(chunk)
        self._close_output(run)

    def _close_output(self, run: Run) -> None:
        if run.output >= 0:
            self._watch.remove(run.output)
            os.close(run.output)
            run.output = -1

    # ------------------------------------------------------------------------------------------------------ end

    def reaped(self, process_id: int, status: int) -> None:
        """A child of this process has died; it may be an orphan that came home."""
        run = self._by_process.pop(process_id, None)
        if run is None:
            return
        code = os.waitstatus_to_exitcode(status)
        run.exit_code = code if code >= 0 else 128 - code
        run.closing = True
        self._close(run)

    def continue_closing(self) -> float | None:
        """Kill what is due, look again at trees that take their time; return after how many seconds to call again."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            run = heapq.heappop(self._due)[2]
            if not run.closing:
                run.closing = True
                self._closing[run] = None
        for run in list(self._closing):
            self._close(run)
        waits = [self._due[0][0] - now] if self._due else []
        if self._closing:
            waits.append(_LOOK_AGAIN_SECONDS)
        return min(waits) if waits else None

    def _close(self, run: Run) -> None:
        if self._kill_rest(run) or run.exit_code is None:
            self._closing[run] = None
            return
        self._closing.pop(run, None)
        self._drain(run)
        run.log.close()
        if run.exit_code and run.group is not None:
            with contextlib.suppress(OSError):
                run.reason = reasons.OUT_OF_MEMORY if run.group.out_of_memory_kills() else None
        self._groups.take_back(run.group)
        self._number -= 1
        self._over(run)

    def _kill_rest(self, run: Run) -> bool:
        """Kill what lives of the run's tree; whether there was anything."""
        if run.group is not None:
            if not run.group.populated():
                return False
            run.group.kill()
            return True
        if run.exit_code is None:
            processes.send(signal.SIGKILL, self._members(run))
            return True
        return self._kill_orphans(run)

    def _kill_orphans(self, run: Run) -> bool:
        """Without a control group: what outlives its main process has come home to us, or descends from one who has."""
        left = []
        for orphan in processes.orphans({*self._by_process, *self._bystanders()}):
            owner = processes.mark(orphan)
            entry = processes.process(orphan)
            of_session = entry is not None and entry.session == run.process_id
            unknown_and_alone = owner is None and self._number == 1
            if owner == run.mark or of_session or unknown_and_alone:
                left.append(orphan)
        processes.send(signal.SIGKILL, left)
        return bool(left)

    def _members(self, run: Run) -> list[int]:
        if run.group is not None:
            return run.group.members()
        return processes.members(run.mark, run.process_id)
