"""The files of the repository, for tests that read them."""

import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "src" / "batchyard"


@cache
def files(suffix: str = "") -> list[Path]:
    """Every file that belongs to the repository, or that would if it were added, by path."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    paths = (ROOT / name for name in sorted(listed.stdout.split("\0")) if name.endswith(suffix) and name)
    return [path for path in paths if path.is_file()]


def pages() -> list[Path]:
    """Everything written for people: docs/ and the pages at the root."""
    return [path for path in files(".md") if path.parent == ROOT or path.is_relative_to(DOCS)]


def name(path: Path) -> str:
    """The path from the root, as a message names it."""
    return path.relative_to(ROOT).as_posix()
