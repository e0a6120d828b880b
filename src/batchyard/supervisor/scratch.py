"""The scratch folders of attempts: an empty one for each, and nothing left of it when the attempt has ended."""

import contextlib
import os
import stat
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from batchyard.core.ids import AttemptId
from batchyard.supervisor.launching import Identity

_REMOVE = 'export PATH=/usr/bin:/bin; rm -rf -- "$@" || { chmod -R u+rwX -- "$@"; rm -rf -- "$@"; }'
_SPARE_FOLDERS_MAX = 64
_OURS, _SHARED = 0o700, 0o777


class ScratchFolders:
    """Those of one data folder. An untouched folder serves the next attempt: renaming costs a tenth of removing and
    making."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "scratch"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._spare: list[Path] = []
        self._removers: dict[int, Callable[[], None]] = {}
        if left_over := list(self._folder.iterdir()):  # of an earlier supervisor, whose attempts have all ended
            self._start_remover(left_over, lambda: None)

    def make(self, attempt_id: AttemptId, users: Collection[Identity]) -> Path:
        """An empty folder for an attempt whose containers run as these users, who share it. Raises OSError."""
        folder = self._folder / attempt_id
        first = next(iter(users))
        if len(users) == 1 and first.is_ours and self._spare:
            return self._spare.pop().rename(folder)
        folder.mkdir(_OURS)
        if len(users) > 1:
            folder.chmod(_SHARED)  # the data folder itself is closed to others
        elif not first.is_ours:
            os.chown(folder, first.uid, first.gid)
        return folder

    def remove(self, folder: Path, removed: Callable[[], None]) -> None:
        """Call `removed` once nothing is left of it, which is at once if it is empty."""
        try:
            if not self._keep(folder):
                folder.rmdir()
        except FileNotFoundError:
            removed()
        except OSError:
            self._start_remover([folder], removed)
        else:
            removed()

    def forget_spares(self) -> None:
        """Remove the folders that are kept for later."""
        while self._spare:
            with contextlib.suppress(OSError):
                self._spare.pop().rmdir()

    def reaped(self, process_id: int) -> bool:
        """A child of this process has died; whether it was a remover."""
        removed = self._removers.pop(process_id, None)
        if removed is None:
            return False
        removed()
        return True

    @property
    def removers(self) -> Collection[int]:
        """The processes that remove folders now."""
        return self._removers.keys()

    def _keep(self, folder: Path) -> bool:
        if len(self._spare) >= _SPARE_FOLDERS_MAX:
            return False
        found = folder.stat()
        if any(folder.iterdir()) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) != _OURS:
            return False
        self._spare.append(folder)
        return True

    def _start_remover(self, folders: Sequence[Path], removed: Callable[[], None]) -> None:
        """A folder with something in it is removed by a process of its own: it may hold a million files."""
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        quiet = [(os.POSIX_SPAWN_DUP2, null, target) for target in (0, 1, 2)]
        try:
            remover = os.posix_spawn(
                "/bin/sh", ["sh", "-c", _REMOVE, "sh", *map(str, folders)], {}, file_actions=quiet, setsid=True
            )
        except OSError:
            removed()
        else:
            self._removers[remover] = removed
        finally:
            os.close(null)
