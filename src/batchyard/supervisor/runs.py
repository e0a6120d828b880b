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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from batchyard.core import reasons
from batchyard.core.ids import AttemptId, Millis, container_id
from batchyard.executors.control_groups import ControlGroups, Group, Limits
from batchyard.executors.interface import Container
from batchyard.logs.writer import AttemptLogWriter
from batchyard.supervisor import processes
from batchyard.supervisor.containers.starts import ContainerStarts
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
    """One container's run. `closing` means that its tree is to be killed, exit code or not.

    One that is contained (`containers/`) has no process and no `started_at` at first, lies in `bundle`, is asked to end
    by `stop_signal` of its image, and if it `failed` never had a process.
    """

    attempt_id: AttemptId
    position: int
    container: Container
    scratch: Path
    log: AttemptLogWriter
    output: int = -1
    group: Group | None = None
    process_id: int = 0
    started_at: Millis | None = None
    is_contained: bool = False
    bundle: Path | None = None
    stop_signal: str = ""
    read_bytes: int = _READ_BYTES
    exit_code: int | None = None
    reason: str | None = None
    kill_at: float | None = None
    closing: bool = False
    failed: bool = False

    def say(self, text: bytes) -> None:
        """Put it into the log, among what the container writes."""
        self.log.write(text, now_millis())

    @property
    def mark(self) -> str:
        """What its processes carry."""
        return mark_of(self.attempt_id, self.position)


def now_millis() -> Millis:
    """The wall clock."""
    return Millis(time.time_ns() // 1_000_000)


class Runs:
    """All runs of this supervisor. `over` is called once for each, when nothing is left of it; before that `started`
    for one that did not run when `start` returned. `bystanders` are other children of this process, of no run."""

    def __init__(
        self,
        data: Path,
        groups: ControlGroups,
        watch: OutputWatch,
        started: Callable[[Run], None],
        over: Callable[[Run], None],
        pids_limit: int,
        bystanders: Callable[[], Collection[int]],
    ) -> None:
        self.log_cap_bytes: int | None = None
        self._logs = data / "logs"
        self._groups = groups
        self._watch = watch
        self._started = started
        self._over = over
        self._pids_limit = pids_limit
        self._bystanders = bystanders
        self._starter = Starter()
        self.containers = ContainerStarts(
            data,
            watch,
            spawn=self._spawn_in_group,
            running=self._on_running,
            failed=self._on_failed,
            reaped=self.reaped,
        )
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
        run = self._new(attempt_id, position, container, folder)
        self._spawn(run, lambda into, group: self._starter.start(container, who, environment, folder, into, group))
        if run.group is None:
            limit_data(run.process_id, container.memory_mib + (container.max_swap_mib or 0))
        run.started_at = now_millis()
        self._by_process[run.process_id] = run
        return run

    def contain(
        self,
        attempt_id: AttemptId,
        position: int,
        container: Container,
        folder: Path,
        gpus: tuple[int, ...],
        hide_gpus: bool,
    ) -> Run:
        """Set out to start a container from its image; it has started when `started` is called. Raises CannotStart."""
        environment = job_environment(mark_of(attempt_id, position), container, "", gpus, hide_gpus)
        for ours in ("PATH", "HOME"):  # The image knows better.
            if ours not in container.environment:
                del environment[ours]
        run = self._new(attempt_id, position, container, folder)
        run.is_contained = True
        self.containers.begin(run, environment, gpus)
        return run

    def _new(self, attempt_id: AttemptId, position: int, container: Container, folder: Path) -> Run:
        log = AttemptLogWriter(self._logs, container_id(attempt_id, position), self.log_cap_bytes)
        return Run(attempt_id, position, container, folder, log)

    def _spawn(self, run: Run, start: Callable[[int, Group | None], int]) -> None:
        """Give the run its output and its control group, and the process that `start` makes. Raises CannotStart."""
        with contextlib.ExitStack() as undo:
            try:
                output, into = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
                undo.callback(os.close, output)
                os.set_blocking(into, True)
                undo.callback(os.close, into)
                group = self._groups.lend(self._limits(run))
                undo.callback(self._groups.take_back, group)
            except (OSError, ValueError) as failure:
                raise CannotStart(f"the machine has no room for it: {failure}") from failure
            run.process_id = start(into, group)
            undo.pop_all()
        os.close(into)
        run.output, run.group = output, group
        self._number += 1
        self._watch.add(output, lambda: self._take_output(run))

    def _spawn_in_group(self, run: Run, command: tuple[str, ...], folder: Path) -> int:
        """Start a command of our own, as ourselves, where a container is to be."""
        tool = Container(command[0], "", command, {}, run.container.vcpus, run.container.memory_mib)
        ourselves, environment = identity(None), dict(os.environ)
        self._spawn(run, lambda into, group: self._starter.start(tool, ourselves, environment, folder, into, group))
        return run.process_id

    def _on_running(self, run: Run, process_id: int) -> None:
        run.process_id = process_id
        self._by_process[process_id] = run
        run.started_at = now_millis()
        self._started(run)

    def _on_failed(self, run: Run, reason: str | None) -> None:
        run.reason, run.failed, run.closing = reason, True, True
        self._close(run)

    def give_up(self, run: Run) -> None:
        """End one that has not started; `over` is called when that is done, or `started` if it was too late."""
        self.containers.give_up(run)

    def _limits(self, run: Run) -> Limits:
        container = run.container
        limits = Limits(
            max(1, container.memory_mib), max(0, container.max_swap_mib or 0), self._pids_limit, container.vcpus
        )
        if not run.is_contained:
            return limits
        swappiness = container.isolation.swappiness if container.isolation and limits.max_swap_mib else None
        return replace(limits, seen_inside=True, swappiness=swappiness, quota=self.containers.settings.cpu_quota)

    def stop(self, run: Run, grace_seconds: float) -> None:
        """SIGTERM to its tree, SIGKILL when the grace is over; a later call may only shorten the grace."""
        if run.exit_code is not None:
            return
        kill_at = time.monotonic() + max(0.0, grace_seconds)
        if run.kill_at is None:
            if run.is_contained:
                processes.send(_signal(run.stop_signal), [run.process_id])
            else:
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
            self.containers.reaped(process_id, status)
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
        removing = self.containers.continue_removing()
        waits = [] if removing is None else [removing]
        if self._due:
            waits.append(self._due[0][0] - now)
        if self._closing:
            waits.append(_LOOK_AGAIN_SECONDS)
        return min(waits) if waits else None

    def _close(self, run: Run) -> None:
        if self._kill_rest(run) or (run.exit_code is None and not run.failed):
            self._closing[run] = None
            return
        self._closing.pop(run, None)
        self._drain(run)
        run.log.close()
        if run.exit_code and run.group is not None:
            with contextlib.suppress(OSError):
                run.reason = reasons.OUT_OF_MEMORY if run.group.out_of_memory_kills() else None
        if run.is_contained:
            self.containers.remove(run)
        if run.process_id:
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
        if run.failed:
            return False
        if run.exit_code is None:
            processes.send(signal.SIGKILL, self._members(run))
            return True
        return self._kill_orphans(run)

    def _kill_orphans(self, run: Run) -> bool:
        """Without a control group: what outlives its main process has come home to us, or descends from one who has."""
        left = []
        for orphan in processes.orphans({*self._by_process, *self._bystanders(), *self.containers.helpers}):
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


def _signal(name: str) -> signal.Signals:
    """`SIGTERM`, `TERM` or `15`, as an image may ask for; SIGTERM if it is none of these or not said."""
    with contextlib.suppress(ValueError):
        return signal.Signals(int(name))
    with contextlib.suppress(KeyError):
        return signal.Signals[name if name.startswith("SIG") else f"SIG{name}"]
    return signal.SIGTERM
