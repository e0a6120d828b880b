"""The table of docs/unknowns.md that lists every error text marked [chosen] in core/refusals."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pages

from batchyard.core import refusals
from batchyard.core.refusals import Refusal

PAGE = pages.DOCS / "unknowns.md"
_MARK = re.compile(r"\s*\[chosen\]$")


def files() -> dict[Path, str]:
    """The page with its table."""
    parts = []
    for module in pkgutil.iter_modules(refusals.__path__):
        rows = list(_rows(f"{refusals.__name__}.{module.name}"))
        if rows:
            head = ("When", "Text", "In code")
            parts.append(f"### core/refusals/{module.name}.py\n\n{pages.table(head, rows)}")
    return {PAGE: pages.with_part(PAGE.read_text(), "chosen", "\n\n".join(parts))}


def _rows(module: str) -> Iterator[tuple[str, str, str]]:
    for name, function in inspect.getmembers(importlib.import_module(module), inspect.isfunction):
        doc = " ".join((function.__doc__ or "").split())
        if function.__module__ == module and _MARK.search(doc):
            yield _MARK.sub("", doc), f"`{_text(function)}`", f"`{name}`"


def _text(function: Callable[..., Refusal]) -> str:
    """The sentence, with the names of what is filled in."""
    return function(*(f"<{parameter}>" for parameter in inspect.signature(function).parameters)).text
