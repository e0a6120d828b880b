"""Removes the output of attempts that are forgotten."""

from collections.abc import Iterable
from pathlib import Path

from batchyard.core.ids import AttemptId
from batchyard.logs.files import index_path, log_path


def remove_logs(logs: Path, attempt_ids: Iterable[AttemptId]) -> None:
    """Remove what these attempts wrote; an attempt that wrote nothing has no files. Raises OSError."""
    for attempt_id in attempt_ids:
        index_path(logs, attempt_id).unlink(missing_ok=True)
        log_path(logs, attempt_id).unlink(missing_ok=True)
