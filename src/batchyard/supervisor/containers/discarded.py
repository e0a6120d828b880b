"""What ended containers lay in, on its way out: unmounting and removing wait for the disk, so others do it.

A folder is renamed, which takes no time, and removed together with whatever else gathers within a moment, since the
process that removes costs as much for one as for many. A supervisor that dies leaves the rest to the next one, which
empties the scratch folder.
"""

import contextlib
import os
import time
from pathlib import Path

# The names are ours: digits, letters and a hyphen. A mount that is gone already is no trouble.
_REMOVE = (
    'export PATH=/usr/sbin:/usr/bin:/sbin:/bin; cd -- "$1" || exit; shift; '
    'for f; do r="$r $f/rootfs"; done; umount -l $r; rm -rf -- "$@"'
)
_TOGETHER = 256
_ENOUGH = 32
"""So many are not kept waiting for more."""

_GATHER_SECONDS = 0.25


class Discarded:
    """The discarded folders of one supervisor."""

    def __init__(self, scratch: Path) -> None:
        self._folder = scratch / f"removed-{os.getpid()}"
        self._waiting: list[str] = []
        self._made = 0
        self._due: float | None = None
        self.remover: int | None = None

    @property
    def is_busy(self) -> bool:
        """Whether anything is left to remove, and can be."""
        return self.remover is not None or self._due is not None

    def add(self, folder: Path) -> None:
        """Take the folder away at once, and what is in it soon. One that does not exist is passed over."""
        if not self._waiting:
            self._folder.mkdir(mode=0o700, exist_ok=True)
        self._made += 1
        try:
            folder.rename(self._folder / str(self._made))
        except OSError:
            return
        self._waiting.append(str(self._made))
        if self._due is None:
            self._due = time.monotonic() + _GATHER_SECONDS
        if len(self._waiting) >= _ENOUGH:
            self._remove()

    def remove_what_is_due(self) -> float | None:
        """Remove what has waited long enough; return after how many seconds to call again."""
        if self._due is None or self.remover is not None:
            return None
        wait = self._due - time.monotonic()
        if wait > 0:
            return wait
        self._remove()
        return None

    def reaped(self, process_id: int) -> bool:
        """A child has died; whether it was the one that removes."""
        if process_id != self.remover:
            return False
        self.remover = None
        if len(self._waiting) >= _ENOUGH:
            self._remove()
        if not self._waiting and not self.is_busy:
            with contextlib.suppress(OSError):
                self._folder.rmdir()
        return True

    def _remove(self) -> None:
        if self.remover is not None or not self._waiting:
            return
        names, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
        self._due = time.monotonic() if self._waiting else None
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        quiet = [(os.POSIX_SPAWN_DUP2, null, target) for target in (0, 1, 2)]
        command = ["sh", "-c", _REMOVE, "sh", str(self._folder), *names]
        try:
            self.remover = os.posix_spawn("/bin/sh", command, {}, file_actions=quiet, setsid=True)
        except OSError:
            self._waiting = [*names, *self._waiting]  # until the next container ends
        finally:
            os.close(null)
