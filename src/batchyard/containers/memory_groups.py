"""Who was killed for want of memory, where the engine does not say.

Docker says it everywhere, Podman with control groups of version 2 alone. Version 1 keeps the count of such kills in the
container's own memory group, which is gone when its end is told. So there each container is put into a group of ours
with a limit one page below its own: that one is hit first, it counts how often, and it stays until it has been asked.
Killed with 137 by nobody we know of, after its group had hit its limit, means out of memory.
"""

import contextlib
from pathlib import Path

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_PAGE = 4096


class MemoryGroups:
    """The groups about the containers of one data folder, named after it."""

    def __init__(self, name: str) -> None:
        self._name = f"batchyard-{name}"

    def make(self, attempt_id: str, memory_mib: int) -> str | None:
        """The name of a new group with that limit, as the engine takes it; None where there are no such groups."""
        folder = _CONTROL_GROUPS / "memory" / self._name / attempt_id
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder.parent / "memory.use_hierarchy").write_text("1")
            (folder / "memory.limit_in_bytes").write_text(str((memory_mib << 20) - _PAGE))
        except OSError:
            return None
        return f"/{self._name}/{attempt_id}"

    def was_full(self, attempt_id: str) -> bool:
        """Whether the group ever hit its limit."""
        try:
            text = (_CONTROL_GROUPS / "memory" / self._name / attempt_id / "memory.failcnt").read_text()
        except OSError:
            return False
        return int(text) > 0

    def remove(self, attempt_id: str) -> None:
        """Remove the group, under every controller, as the engine has made it there."""
        for folder in _CONTROL_GROUPS.glob(f"*/{self._name}"):
            for group in (folder / attempt_id, folder):
                with contextlib.suppress(OSError):
                    group.rmdir()
