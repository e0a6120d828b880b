"""Writes every file, and every part of a page, that is made from the code.

    python tools/generate.py            write what is not current
    python tools/generate.py --check    write nothing; name what is not current, and end with 1 if anything is

A generator is a module beside this one with `files()`: the text of each file that it makes, by path. It may read the
file first, to replace one part of a page and leave the rest (see `pages.with_part`).
"""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

GENERATORS = (
    "generate_shapes",
    "generate_states",
    "generate_operations",
    "generate_compatibility",
    "generate_unknowns",
    "generate_cli",
)
"""Modules in this folder, in the order in which they run; one that is not there makes nothing."""


def files() -> dict[Path, str]:
    """What all generators make."""
    made: dict[Path, str] = {}
    for name in GENERATORS:
        if (Path(__file__).parent / f"{name}.py").exists():
            generator = importlib.import_module(name)
            found: Mapping[Path, str] = generator.files()
            assert not made.keys() & found.keys(), f"{name} makes a file that another generator makes"
            made |= found
    return made


def stale(made: Mapping[Path, str]) -> list[Path]:
    """The files that are not what would be written."""
    return [path for path, text in made.items() if not path.exists() or path.read_text() != text]


def main(arguments: list[str]) -> int:
    made = files()
    found = stale(made)
    if "--check" in arguments:
        for path in found:
            sys.stderr.write(f"{path.relative_to(ROOT)} is not current: run `make generate`\n")
        return 1 if found else 0
    for path in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path])
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
