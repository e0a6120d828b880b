"""The life of attempts on this machine: waiting for what they need, running, ending with nothing left of them.

Ending takes steps, each of which may have to wait: the main process has exited; the rest of its tree is killed and
gone; its last output is in the log; its scratch folder is removed. Only then is it reported and its slot free again.
"""

import contextlib
import fcntl
import heapq
import os
import re
import signal
import stat
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from batchyard.core.ids import AttemptId, Millis
from batchyard.executors.control_groups import ControlGroups, Group, Limits
from batchyard.executors.interface import AttemptExited, AttemptLost, AttemptReturned, Capacity, Container, Launch
from batchyard.logs.writer import AttemptLogWriter
from batchyard.supervisor import processes
from batchyard.supervisor.journal import End
from batchyard.supervisor.launching import CannotStart, Identity, Starter, identity, job_environment, limit_data
from batchyard.supervisor.slots import Holding, Slots

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
"""container.reason as the ECS agent words it (F 3.5)."""

_READ_BYTES = 1 << 16
_BUSY_PIPE_BYTES = 1 << 20
_LOOK_AGAIN_SECONDS = 0.005
_ANNOUNCE_SECONDS = 0.010
_REMOVE = 'export PATH=/usr/bin:/bin; rm -rf -- "$1" || { chmod -R u+rwX -- "$1"; rm -rf -- "$1"; }'
_SPARE_FOLDERS_MAX = 64
_ATTEMPT_ID = re.compile(r"[0-9a-f]{32}")


class OutputWatch(Protocol):
    """Tells when a descriptor can be read (an epoll and its table of callbacks)."""

    def add(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call `ready` whenever the descriptor can be read."""

    def remove(self, descriptor: int) -> None:
        """Call no more; to be done before the descriptor is closed."""


@dataclass(slots=True)
class Attempt:
    """One attempt from its start to its end. `closing` means that its tree is to be killed, exit code or not."""

    launch: Launch
    holding: Holding
    folder: Path
    log: AttemptLogWriter
    output: int
    group: Group | None
    process_id: int
    started_at: Millis
    read_bytes: int = _READ_BYTES
    exit_code: int | None = None
    kill_at: float | None = None
    closing: bool = False
    removing: bool = False
    abandoned: bool = False


def now_millis() -> Millis:
    """The wall clock."""
    return Millis(time.time_ns() // 1_000_000)


class Attempts:
    """All attempts that this supervisor holds. `ended` is called once for each, with what is to be journaled."""

    def __init__(
        self, data: Path, groups: ControlGroups, watch: OutputWatch, ended: Callable[[End], None], pids_limit: int
    ) -> None:
        self.log_cap_bytes: int | None = None
        self.running: dict[AttemptId, Attempt] = {}
        self._data = data
        self._groups = groups
        self._watch = watch
        self._ended = ended
        self._pids_limit = pids_limit
        self._starter = Starter()
        self._slots = Slots()
        self._queue: OrderedDict[AttemptId, Launch] = OrderedDict()
        self._by_process: dict[int, Attempt] = {}
        self._closing: dict[AttemptId, Attempt] = {}
        self._due: list[tuple[float, AttemptId]] = []
        self._unannounced: deque[tuple[float, Attempt]] = deque()
        self._scratch = data / "scratch"
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._spare_folders: list[Path] = []

    # --------------------------------------------------------------------------------------------------- orders

    def configure(self, capacity: Capacity) -> None:
        """What attempts may hold together from now on."""
        self._slots.configure(capacity)

    def queue(self, launch: Launch) -> None:
        """Start this attempt when its turn has come; it is journaled as accepted."""
        self._queue[launch.attempt_id] = launch

    def take_back(self, attempt_id: AttemptId) -> None:
        """Return the attempt if it still waits."""
        if self._queue.pop(attempt_id, None):
            self._ended(AttemptReturned(attempt_id, now_millis()))

    def stop(self, attempt_id: AttemptId, grace_seconds: float) -> None:
        """Drop the attempt if it waits; SIGTERM to its tree if it runs, SIGKILL when the grace is over."""
        if self._queue.pop(attempt_id, None):
            self._ended(AttemptExited(attempt_id, now_millis(), started_at=None, exit_code=None))
        elif (attempt := self.running.get(attempt_id)) and attempt.exit_code is None:
            kill_at = time.monotonic() + max(0.0, grace_seconds)
            if attempt.kill_at is None:
                processes.send(signal.SIGTERM, self._members(attempt))
            if attempt.kill_at is None or kill_at < attempt.kill_at:
                attempt.kill_at = kill_at
                heapq.heappush(self._due, (kill_at, attempt_id))

    def abandon(self, grace_seconds: float) -> None:
        """The supervisor is told to end: what waits is returned, what runs is stopped and reported as lost, since its
        host goes away; unless it still exits with 0."""
        for attempt_id in list(self._queue):
            self.take_back(attempt_id)
        for attempt in list(self.running.values()):
            attempt.abandoned = True
            self.stop(attempt.launch.attempt_id, grace_seconds)

    @property
    def has_waiting(self) -> bool:
        """Whether an attempt waits for its slot."""
        return bool(self._queue)

    @property
    def idle(self) -> bool:
        """Whether nothing waits or runs."""
        return not self._queue and not self.running

    # ---------------------------------------------------------------------------------------------------- start

    def start_what_fits(self) -> None:
        """Start waiting attempts, first come first served; one that does not fit holds up those behind it."""
        while self._queue:
            launch = next(iter(self._queue.values()))
            holding = self._slots.take(launch)
            if holding is None:
                break
            del self._queue[launch.attempt_id]
            try:
                self._start(launch, holding)
            except CannotStart as failure:
                self._slots.give_back(holding)
                self._ended(
                    AttemptExited(
                        launch.attempt_id,
                        now_millis(),
                        started_at=None,
                        exit_code=None,
                        reason=str(failure),
                        failed_to_start=True,
                    )
                )

        if self.idle:
            while self._spare_folders:
                _remove_empty(self._spare_folders.pop())

    def _start(self, launch: Launch, holding: Holding) -> None:
        if not _ATTEMPT_ID.fullmatch(launch.attempt_id):
            raise CannotStart("the attempt's id is not 32 hexadecimal digits")
        container = launch.containers[0]
        who = identity(container.user)
        hide_gpus = self._slots.has_gpus and not holding.gpus
        environment = job_environment(launch.attempt_id, container, who.home, holding.gpus, hide_gpus)
        with contextlib.ExitStack() as undo:
            try:
                folder = self._make_scratch(launch.attempt_id, who)
                undo.callback(_remove_empty, folder)
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
        log = AttemptLogWriter(self._data / "logs", launch.attempt_id, self.log_cap_bytes)
        attempt = Attempt(launch, holding, folder, log, output, group, process_id, now_millis())
        self.running[launch.attempt_id] = attempt
        self._by_process[process_id] = attempt
        self._unannounced.append((time.monotonic() + _ANNOUNCE_SECONDS, attempt))
        self._watch.add(output, lambda: self._take_output(attempt))

    def _make_scratch(self, attempt_id: AttemptId, who: Identity) -> Path:
        folder = self._scratch / attempt_id
        if who.is_ours and self._spare_folders:
            return self._spare_folders.pop().rename(folder)
        folder.mkdir(0o700)
        if not who.is_ours:
            os.chown(folder, who.uid, who.gid)
        return folder

    def _spare(self, folder: Path) -> bool:
        """Keep an untouched scratch folder for the next attempt: renaming costs a tenth of removing and making."""
        if len(self._spare_folders) >= _SPARE_FOLDERS_MAX:
            return False
        found = folder.stat()
        if any(folder.iterdir()) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != 0o700:
            return False
        self._spare_folders.append(folder)
        return True

    def _limits(self, container: Container) -> Limits:
        swap = max(0, container.max_swap_mib or 0)
        return Limits(max(1, container.memory_mib), swap, self._pids_limit, container.vcpus)

    def announce(self, now: float, tell: Callable[[Attempt], None]) -> float | None:
        """Tell of attempts that have run for a little while; return after how many seconds to call again.

        Late, because most attempts that end soon then need no report of their start.
        """
        while self._unannounced and (self._unannounced[0][0] <= now or self._has_ended(self._unannounced[0][1])):
            attempt = self._unannounced.popleft()[1]
            if not self._has_ended(attempt):
                tell(attempt)
        return self._unannounced[0][0] - now if self._unannounced else None

    def _has_ended(self, attempt: Attempt) -> bool:
        return attempt.launch.attempt_id not in self.running

    # --------------------------------------------------------------------------------------------------- output

    def _take_output(self, attempt: Attempt) -> None:
        """One bounded helping, so that an attempt that writes without end slows only itself."""
        try:
            chunk = os.read(attempt.output, attempt.read_bytes)
        except BlockingIOError:
            return
        if not chunk:
            self._close_output(attempt)
            return
        attempt.log.write(chunk, now_millis())
        if len(chunk) == attempt.read_bytes == _READ_BYTES:
            with contextlib.suppress(OSError):  # The machine's pages for pipes may be spent.
                fcntl.fcntl(attempt.output, fcntl.F_SETPIPE_SZ, _BUSY_PIPE_BYTES)
            attempt.read_bytes = _BUSY_PIPE_BYTES

    def _drain(self, attempt: Attempt) -> None:
        """What the pipe still holds; not more than a pipe can hold, should a stranger have been given its other end."""
        left = _BUSY_PIPE_BYTES
        while attempt.output >= 0 and left > 0:
            try:
                chunk = os.read(attempt.output, _READ_BYTES)
            except BlockingIOError:
                break
            if not chunk:
                break
            attempt.log.write(chunk, now_millis())
            left -= len(chunk)
        self._close_output(attempt)

    def _close_output(self, attempt: Attempt) -> None:
        if attempt.output >= 0:
            self._watch.remove(attempt.output)
            os.close(attempt.output)
            attempt.output = -1

    # ------------------------------------------------------------------------------------------------------ end

    def reap(self) -> None:
        """Take in every child that has died: main processes, orphans that came home, removers of folders."""
        while True:
            try:
                process_id, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not process_id:
                break
            attempt = self._by_process.pop(process_id, None)
            if attempt is None:
                continue
            if attempt.removing:
                self._finish(attempt)
                continue
            code = os.waitstatus_to_exitcode(status)
            attempt.exit_code = code if code >= 0 else 128 - code
            attempt.closing = True
            self._close(attempt)

    def continue_closing(self) -> float | None:
        """Kill what is due, look again at trees that take their time; return after how many seconds to call again."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            attempt = self.running.get(heapq.heappop(self._due)[1])
            if attempt and not attempt.closing:
                attempt.closing = True
                self._closing[attempt.launch.attempt_id] = attempt
        for attempt in list(self._closing.values()):
            self._close(attempt)
        waits = [self._due[0][0] - now] if self._due else []
        if self._closing:
            waits.append(_LOOK_AGAIN_SECONDS)
        return min(waits) if waits else None

    def _close(self, attempt: Attempt) -> None:
        if self._kill_rest(attempt) or attempt.exit_code is None:
            self._closing[attempt.launch.attempt_id] = attempt
            return
        self._closing.pop(attempt.launch.attempt_id, None)
        self._drain(attempt)
        attempt.log.close()
        try:
            if not self._spare(attempt.folder):
                attempt.folder.rmdir()
        except FileNotFoundError:
            self._finish(attempt)
        except OSError:
            self._remove_scratch(attempt)
        else:
            self._finish(attempt)

    def _kill_rest(self, attempt: Attempt) -> bool:
        """Kill what lives of the attempt's tree; whether there was anything."""
        if attempt.group is not None:
            if not attempt.group.populated():
                return False
            attempt.group.kill()
            return True
        if attempt.exit_code is None:
            processes.send(signal.SIGKILL, self._members(attempt))
            return True
        return self._kill_orphans(attempt)

    def _kill_orphans(self, attempt: Attempt) -> bool:
        """Without a control group: what outlives its main process has come home to us, or descends from one who has."""
        left = []
        for orphan in processes.orphans(self._by_process.keys()):
            owner = processes.attempt_of(orphan)
            entry = processes.process(orphan)
            of_session = entry is not None and entry.session == attempt.process_id
            unknown_and_alone = owner is None and len(self.running) == 1
            if owner == attempt.launch.attempt_id or of_session or unknown_and_alone:
                left.append(orphan)
        processes.send(signal.SIGKILL, left)
        return bool(left)

    def _members(self, attempt: Attempt) -> list[int]:
        if attempt.group is not None:
            return attempt.group.members()
        return processes.members(attempt.launch.attempt_id, attempt.process_id)

    def _remove_scratch(self, attempt: Attempt) -> None:
        """A folder with something in it is removed by a process of its own: it may hold a million files."""
        attempt.removing = True
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        quiet = [(os.POSIX_SPAWN_DUP2, null, target) for target in (0, 1, 2)]
        try:
            remover = os.posix_spawn(
                "/bin/sh", ["sh", "-c", _REMOVE, "sh", str(attempt.folder)], {}, file_actions=quiet, setsid=True
            )
        except OSError:
            self._finish(attempt)
        else:
            self._by_process[remover] = attempt
        finally:
            os.close(null)

    def _finish(self, attempt: Attempt) -> None:
        attempt_id = attempt.launch.attempt_id
        reason = None
        if attempt.exit_code and attempt.group is not None:
            with contextlib.suppress(OSError):
                reason = OUT_OF_MEMORY if attempt.group.out_of_memory_kills() else None
        self._groups.take_back(attempt.group)
        self._slots.give_back(attempt.holding)
        del self.running[attempt_id]
        if attempt.abandoned and attempt.exit_code:
            self._ended(AttemptLost(attempt_id, now_millis(), attempt.started_at))
        else:
            self._ended(AttemptExited(attempt_id, now_millis(), attempt.started_at, attempt.exit_code, reason))


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
