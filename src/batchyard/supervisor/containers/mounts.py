"""The supervisor's own view of what is mounted, in which the roots of containers appear.

It is a mount namespace: nothing mounted here is seen outside, and when the last process in it has died, killed or not,
everything mounted in it is gone.
"""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

_CLONE_NEWNS = 0x20000
_MS_NODEV, _MS_REC, _MS_SLAVE = 4, 1 << 14, 1 << 19
_MNT_DETACH = 2
_HYBRID = Path("/sys/fs/cgroup/unified")

_libc = ctypes.CDLL(None, use_errno=True)


def enter_own_mounts() -> None:
    """Give this process a mount namespace of its own; to be called once, by its only thread. Raises OSError.

    What the host mounts later is still seen. crun refuses machines that have control groups of both versions unless
    it does not see those of version 2, so these are taken out of sight.
    """
    _must(_libc.unshare(_CLONE_NEWNS))
    _must(_libc.mount(None, b"/", None, _MS_REC | _MS_SLAVE, None))
    if (_HYBRID / "cgroup.controllers").exists():
        _must(_libc.umount2(os.fsencode(_HYBRID), _MNT_DETACH))


def mount_overlay(home: str, layers: Sequence[str], folder: Path, *, devices: bool) -> Path:
    """Mount read-only layers (relative to `home`, topmost first) under a writable one; return where. Raises OSError.

    `folder` gets `upper`, `work` and `rootfs`. Without `devices` no device node below it can be used.
    """
    for name in ("upper", "work", "rootfs"):
        (folder / name).mkdir()
    (folder / "upper").chmod(0o755)  # It becomes the mode of the container's `/`.
    lower = ":".join(_escaped(layer) for layer in layers)
    options = f"lowerdir={lower},upperdir={_escaped(folder / 'upper')},workdir={_escaped(folder / 'work')}"
    root = folder / "rootfs"
    before = Path.cwd()
    os.chdir(home)
    try:
        # Volatile: what an attempt wrote is removed with it, so nothing need be on disk before.
        for more in (",volatile", ""):
            flags = 0 if devices else _MS_NODEV
            if not _libc.mount(b"overlay", os.fsencode(root), b"overlay", flags, os.fsencode(options + more)):
                return root
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "overlay")
    finally:
        os.chdir(before)


def _escaped(path: str | Path) -> str:
    return "".join(f"\\{character}" if character in "\\:," else character for character in str(path))


def _must(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
