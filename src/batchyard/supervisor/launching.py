"""Starts the main process of an attempt: its own session, exactly its environment, its output into a pipe.

Two ways lead there. Most attempts take the short one, posix_spawn, which shares the supervisor's memory until the
command runs and costs a third less than a fork. An attempt that names a user or ulimits, or whose process must enter
its control group itself, is forked, since those steps are taken in the child.
"""

import contextlib
import functools
import grp
import os
import pwd
import resource
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from batchyard.core.ids import AttemptId
from batchyard.executors.control_groups import Group
from batchyard.executors.interface import Container, Ulimit

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What containers get when neither image nor job names one."""

ATTEMPT_VARIABLE = "BATCHYARD_ATTEMPT_ID"
"""Set in every container; by it the processes of a forgotten attempt are recognized."""

_DEFAULT_SIGNALS = [signal.SIGPIPE, signal.SIGXFSZ]
_MAY_RAISE_LIMITS = 1 << 24  # CAP_SYS_RESOURCE
_NO_LIMIT = -1


class CannotStart(Exception):
    """The command, its user or its limits cannot be used; the text becomes container.reason."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"CannotStartContainerError: {detail}")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a process runs as; `is_ours` if that is whom the supervisor runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    is_ours: bool


def identity(user: str | None) -> Identity:
    """Whom `user`, `uid`, `user:group` or `uid:gid` means on this machine; None means ourselves.

    A uid that the machine does not know gets the group of the same number, never root's. Raises CannotStart.
    """
    if not user:
        return _ourselves()
    name, _, group = user.partition(":")
    try:
        entry = _password_entry(name)
        uid = entry.pw_uid if entry else int(name)
        gid = _group_id(group) if group else entry.pw_gid if entry else uid
        if max(uid, gid) >= 1 << 32:
            raise ValueError
    except (KeyError, ValueError, OverflowError):
        raise CannotStart(f"unable to find user {user}: no matching entries in the machine's passwd file") from None
    groups = tuple(os.getgrouplist(entry.pw_name, gid)) if entry and not group else (gid,)
    is_ours = (uid, gid) == (os.geteuid(), os.getegid())
    found = Identity(uid, gid, groups, entry.pw_dir if entry else "/", is_ours)
    if not is_ours and os.geteuid() != 0:
        raise CannotStart(f"running as user {user} needs a supervisor that runs as root")
    return found


@functools.cache
def _ourselves() -> Identity:
    try:
        home = pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        home = "/"
    return Identity(os.geteuid(), os.getegid(), (), home, is_ours=True)


def _password_entry(name: str) -> pwd.struct_passwd | None:
    """By number or by name. None for a number without an entry; raises KeyError for an unknown name."""
    if not (name.isascii() and name.isdigit()):
        return pwd.getpwnam(name)
    try:
        return pwd.getpwuid(int(name))
    except KeyError:
        return None


def _group_id(group: str) -> int:
    return int(group) if group.isascii() and group.isdigit() else grp.getgrnam(group).gr_gid


def job_environment(
    mark: str, container: Container, home: str, gpus: tuple[int, ...], hide_gpus: bool
) -> dict[str, str]:
    """What the job asked for, completed by what only this machine knows; `mark` is the container's (see `mark_of`)."""
    environment = {"PATH": DEFAULT_PATH, "HOME": home}
    if hide_gpus:
        environment["NVIDIA_VISIBLE_DEVICES"] = "void"
        environment["CUDA_VISIBLE_DEVICES"] = ""
    environment.update(container.environment)
    if gpus:
        numbers = ",".join(map(str, gpus))
        environment["NVIDIA_VISIBLE_DEVICES"] = environment["CUDA_VISIBLE_DEVICES"] = numbers
    environment[ATTEMPT_VARIABLE] = mark
    return environment


def mark_of(attempt_id: AttemptId, position: int) -> str:
    """What the processes of a container carry in their environment: the attempt's id, and after a dot the position of
    the container in it unless it is the first."""
    return attempt_id if position == 0 else f"{attempt_id}.{position}"


def limit_data(process_id: int, mib: int) -> None:
    """Where there are no control groups: each process of the attempt may hold so much private writable memory.

    More is refused to it (ENOMEM) rather than answered by a kill. Address space is not limited, since many programs
    reserve far more than they use.
    """
    size = max(1, mib) << 20
    with contextlib.suppress(OSError, ValueError):  # It may be gone already, or its hard limit lower.
        resource.prlimit(process_id, resource.RLIMIT_DATA, (size, size))


def find_command(name: str, environment: Mapping[str, str], folder: Path) -> str:
    """The file that a shell in `folder` with this environment would run. Raises CannotStart if there is none."""
    if "/" in name:
        return str(folder / name)
    for place in environment.get("PATH", DEFAULT_PATH).split(":"):
        path = str(folder / place / name)
        if os.access(path, os.X_OK) and not Path(path).is_dir():
            return path
    raise CannotStart(f'exec: "{name}": executable file not found in $PATH')


class Starter:
    """Starts processes; knows this process's own limits, which attempts get unless they ask for others."""

    def __init__(self) -> None:
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._own_files = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._raised = self._own_files[0] != self._own_files[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (self._own_files[1], self._own_files[1]))
        self._may_raise_limits = _has_capability(_MAY_RAISE_LIMITS)

    def start(
        self,
        container: Container,
        who: Identity,
        environment: dict[str, str],
        folder: Path,
        output: int,
        group: Group | None,
    ) -> int:
        """The process id of the command, which runs in `folder` and writes to `output`. Raises CannotStart."""
        if not container.command:
            raise CannotStart("no command specified")
        try:
            path = find_command(container.command[0], environment, folder)
            if who.is_ours and not container.ulimits and (group is None or group.visited):
                return self._spawn(path, container.command, environment, folder, output, group)
            return self._fork(path, container, who, environment, folder, output, group)
        except (OSError, ValueError, subprocess.SubprocessError) as failure:
            detail = os.strerror(failure.errno) if isinstance(failure, OSError) and failure.errno else str(failure)
            raise CannotStart(f'exec: "{container.command[0][:200]}": {detail.lower()}') from failure

    def _spawn(
        self,
        path: str,
        command: tuple[str, ...],
        environment: dict[str, str],
        folder: Path,
        output: int,
        group: Group | None,
    ) -> int:
        """posix_spawn, in a visit to the attempt's folder and control group."""
        os.chdir(folder)
        try:
            if self._raised:
                resource.setrlimit(resource.RLIMIT_NOFILE, self._own_files)
            if group:
                group.enter()
            return os.posix_spawn(
                path,
                command,
                environment,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, self._null, 0),
                    (os.POSIX_SPAWN_DUP2, output, 1),
                    (os.POSIX_SPAWN_DUP2, output, 2),
                ],
                setsid=True,
                setsigmask=[],
                setsigdef=_DEFAULT_SIGNALS,
            )
        finally:
            if group:
                group.leave()
            if self._raised:
                resource.setrlimit(resource.RLIMIT_NOFILE, (self._own_files[1], self._own_files[1]))
            os.chdir("/")

    def _fork(
        self,
        path: str,
        container: Container,
        who: Identity,
        environment: dict[str, str],
        folder: Path,
        output: int,
        group: Group | None,
    ) -> int:
        steps: list[Callable[[], None]] = [] if group is None else [group.enter]
        limits = [self._limit(ulimit) for ulimit in container.ulimits]
        if self._raised:
            limits.insert(0, (resource.RLIMIT_NOFILE, *self._own_files))
        steps += [functools.partial(resource.setrlimit, number, (soft, hard)) for number, soft, hard in limits]

        def in_the_child() -> None:
            for step in steps:
                step()

        process = subprocess.Popen(
            container.command,
            executable=path,
            stdin=self._null,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=folder,
            start_new_session=True,
            preexec_fn=in_the_child,  # noqa: PLW1509 - the supervisor has one thread
            user=None if who.is_ours else who.uid,
            group=None if who.is_ours else who.gid,
            extra_groups=None if who.is_ours else who.groups,
        )
        process.returncode = 0  # Reaped by the loop, as all are; Popen must not try.
        return process.pid

    def _limit(self, ulimit: Ulimit) -> tuple[int, int, int]:
        number = getattr(resource, f"RLIMIT_{ulimit.name.upper()}", None)
        if not isinstance(number, int):
            raise CannotStart(f"ulimit {ulimit.name} is not known to this machine")
        _, own_hard = resource.getrlimit(number)
        beyond = own_hard != _NO_LIMIT and (ulimit.hard_limit == _NO_LIMIT or ulimit.hard_limit > own_hard)
        if beyond and not self._may_raise_limits:
            raise CannotStart(f"ulimit {ulimit.name}: {ulimit.hard_limit} is above the machine's hard limit {own_hard}")
        if ulimit.hard_limit != _NO_LIMIT and not _NO_LIMIT < ulimit.soft_limit <= ulimit.hard_limit:
            raise CannotStart(f"ulimit {ulimit.name}: soft limit {ulimit.soft_limit} is above the hard limit")
        return number, ulimit.soft_limit, ulimit.hard_limit


def _has_capability(bit: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) & bit)
    return False
