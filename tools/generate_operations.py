"""The tables of docs/operations.md: every operation of the service models, and what this Batchyard does with it."""

import tomllib
from pathlib import Path

import pages

from batchyard.api.operations import OPERATIONS
from batchyard.wire import model

PAGE = pages.DOCS / "operations.md"
SHOWN = tomllib.loads((pages.ROOT / "tests" / "clients" / "operations.toml").read_text())
"""The test that shows each operation through boto3; while it runs, the operation must be answered with success."""


def files() -> dict[Path, str]:
    """The page with its tables."""
    text = PAGE.read_text()
    text = pages.with_part(text, "batch", _table(model.batch()))
    return {PAGE: pages.with_part(text, "logs", _table(model.logs()))}


def _table(service: model.Service) -> str:
    rows = [_row(operation) for _, operation in sorted(service.operations.items())]
    built = sum(row[2] != "not built yet" for row in rows)
    head = ("Operation", "Request", "Here", "What it does", "Shown by")
    return f"{built} of {len(rows)} operations are built.\n\n{pages.table(head, rows)}"


def _row(operation: model.Operation) -> tuple[str, str, str, str, str]:
    request = f"`{operation.method} {operation.uri}`"
    endpoint = OPERATIONS.get(f"{operation.service}.{operation.name}")
    if endpoint is None:
        return operation.name, request, "not built yet", "", ""
    summary = pages.first_sentence(endpoint.function.__doc__).removeprefix(f"{operation.name}: ")
    here = "refused" if summary.startswith("Refused") else "writes" if endpoint.writes else "reads"
    test = SHOWN[operation.service].get(operation.name, "").replace("::", " ")
    return operation.name, request, here, summary[:1].upper() + summary[1:], test
