"""Makes the folder that an attempt finds beside its scratch folder and leaves behind (`interface.Workspace`)."""

import os
import stat
from pathlib import Path, PurePosixPath

from batchyard.executors.interface import Workspace
from batchyard.supervisor.launching import CannotStart

_FAILURE_BYTES = 1024


def make(workspace: Workspace, scratch: Path) -> None:
    """Make it whole, with its parents, and let the working folder `scratch` point at what stands at its top.

    Raises CannotStart where the machine cannot, for a link that leads nowhere and for a place outside of it.
    """
    try:
        _make(workspace, scratch)
    except (OSError, ValueError) as failure:
        raise CannotStart(f"its folder cannot be made: {failure}") from failure


def _make(workspace: Workspace, scratch: Path) -> None:
    base = Path(workspace.path)
    base.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    base.mkdir(mode=0o700)
    for folder in workspace.folders:
        _inside(base, folder).mkdir(parents=True, exist_ok=True)
    for place, text in workspace.files.items():
        path = _inside(base, place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for place, target in workspace.shared.items():
        Path(target).mkdir(mode=0o700, parents=True, exist_ok=True)
        _link(_inside(base, place), Path(target))
    for place, target in workspace.links.items():
        _link(_inside(base, place), Path(target))
    for made in base.iterdir():
        (scratch / made.name).symlink_to(made)


def failure(workspace: Workspace) -> str | None:
    """The beginning of what the attempt wrote about its failure, as one line; None if it wrote nothing readable."""
    if workspace.failure is None:
        return None
    try:
        descriptor = os.open(
            _inside(Path(workspace.path), workspace.failure),
            os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK,
        )
    except (OSError, ValueError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        text = os.read(descriptor, _FAILURE_BYTES).decode(errors="replace")
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return " ".join(text.replace("\0", "").split()) or None


def _inside(base: Path, place: str) -> Path:
    parts = PurePosixPath(place).parts
    if not parts or place.startswith("/") or ".." in parts:
        raise ValueError(f"{place!r} leads out of the attempt's folder")
    return base / place


def _link(place: Path, target: Path) -> None:
    """A link to a folder; to a file in a folder of the link's name."""
    if not target.exists():
        raise FileNotFoundError(f"{target} does not exist")
    place.parent.mkdir(parents=True, exist_ok=True)
    if target.is_dir():
        place.symlink_to(target)
    else:
        place.mkdir()
        (place / target.name).symlink_to(target)
