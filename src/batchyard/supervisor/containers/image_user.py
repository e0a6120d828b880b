"""Whom a container runs as, by the image's own /etc/passwd and /etc/group."""

from dataclasses import dataclass
from pathlib import Path

_FILE_BYTES = 1 << 20


class UnknownUser(Exception):
    """The image has no such user or group."""


@dataclass(frozen=True, slots=True)
class ImageUser:
    """Numbers, and the home folder."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/root"


def image_user(root: Path, user: str) -> ImageUser:
    """Whom `user`, `uid`, `user:group` or `uid:gid` means in the file system at `root`; nothing means root.

    A uid without an entry is in group 0, as with Docker. Raises UnknownUser.
    """
    name, _, group = (user or "0").partition(":")
    entry = next((e for e in _entries(root / "etc/passwd", root, 6) if name in (e[0], e[2])), None)
    uid, gid, home = _number(name), 0, "/"
    if entry:
        uid, gid, home = _number(entry[2]), _number(entry[3]) or 0, entry[5] or "/"
    elif uid == 0:
        home = "/root"
    if uid is None:
        raise UnknownUser(f"unable to find user {name}: no matching entries in passwd file")
    groups = list(_entries(root / "etc/group", root, 4)) if group or entry else []
    if group:
        named = next((e for e in groups if group in (e[0], e[2])), None)
        number = _number(named[2] if named else group)
        if number is None:
            raise UnknownUser(f"unable to find group {group}: no matching entries in group file")
        return ImageUser(uid, number, (), home)
    further = (_number(e[2]) for e in groups if entry and entry[0] in e[3].split(","))
    return ImageUser(uid, gid, tuple(sorted({n for n in further if n is not None and n != gid})), home)


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and int(text) < (1 << 32) - 1 else None


def _entries(path: Path, root: Path, fields: int) -> list[list[str]]:
    """The lines of such a file, split; none if it is missing or a link that leads out of the image."""
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(root.resolve()):
            return []
        with real.open("rb") as file:
            text = file.read(_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return []
    return [parts for line in text.splitlines() if len(parts := line.split(":")) >= fields]
