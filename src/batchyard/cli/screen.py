"""How things look: a console, colours of statuses, bars of array children, times."""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from batchyard.cli.jobs import Job, children_by_status, is_array

COLOURS = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "RUNNING": "yellow",
    "STARTING": "bright_yellow",
    "RUNNABLE": "blue",
    "PENDING": "bright_black",
    "SUBMITTED": "bright_black",
}
"""In the order in which a bar shows them: what is done comes first."""

_PIPE_COLUMNS = 1000


def console() -> Console:
    """Standard output. What is piped is not cut to the width of a screen that is not there."""
    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)


def print_json(value: Any) -> None:
    """Print an answer of the API, its metadata left out."""
    if isinstance(value, dict):
        value = {name: member for name, member in value.items() if name != "ResponseMetadata"}
    print(json.dumps(value, indent=2, default=str))


def table(*columns: str) -> Table:
    """An empty table in the one style that all commands use; columns that start with `>` are aligned to the right."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        name = column.removeprefix(">")
        made.add_column(name, justify="right" if name != column else "left", no_wrap=name != "REASON")
    return made


def status_text(status: str) -> Text:
    """A status in its colour."""
    return Text(status, COLOURS.get(status, ""))


def bar(counts: Mapping[str, int], width: int) -> Text:
    """Children by status as one bar; a status that any child is in has at least one cell."""
    total = sum(counts.values()) or 1
    present = [status for status in COLOURS if counts.get(status)]
    cells = {status: max(1, counts[status] * width // total) for status in present}
    if present:
        largest = max(present, key=lambda status: cells[status])
        cells[largest] = max(1, cells[largest] + width - sum(cells.values()))
    drawn = Text()
    for status in present:
        drawn.append(("█" if status in ("SUCCEEDED", "FAILED", "RUNNING") else "░") * cells[status], COLOURS[status])
    return drawn


def counts_text(counts: Mapping[str, int]) -> Text:
    """The counts that are not zero, each in its colour: `8 SUCCEEDED  2 RUNNING`."""
    words = [Text(f"{counts[status]:,} {status}", colour) for status, colour in COLOURS.items() if counts.get(status)]
    return Text("  ").join(words)


def children_text(job: Job) -> str:
    """For a row of a list: how many children of an array succeeded, of how many; empty for other jobs."""
    if not is_array(job):
        return ""
    counts = children_by_status(job)
    size = job["arrayProperties"]["size"]
    failed = f", {counts['FAILED']:,} failed" if counts["FAILED"] else ""
    return f"{counts['SUCCEEDED']:,}/{size:,}{failed}"


def clock_text(millis: int | None) -> str:
    """A time in the time zone of the reader, or nothing."""
    if millis is None:
        return ""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(millis / 1000)) + f".{millis % 1000:03}"


def age_text(millis: int) -> str:
    """How long ago something was: `5s`, `3m`, `2h`, `4d`."""
    return duration_text(max(0, int(time.time() * 1000) - millis), coarse=True)


def duration_text(millis: int, *, coarse: bool = False) -> str:
    """A length of time in at most two units; coarse keeps to one."""
    seconds = millis / 1000
    if seconds < 60:
        return f"{int(seconds)}s" if coarse else f"{seconds:.1f}s" if seconds >= 1 else f"{millis}ms"
    for size, unit, smaller_size, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= size:
            rest = int(seconds % size // smaller_size)
            return f"{int(seconds // size)}{unit}" + ("" if coarse or not rest else f" {rest}{smaller}")
    raise AssertionError


def ran_text(job: Job) -> str:
    """How long a job's latest attempt ran, or has been running; empty if it never did."""
    started = job.get("startedAt")
    if started is None:
        return ""
    stopped = job.get("stoppedAt")
    return duration_text(max(0, (stopped if stopped is not None else int(time.time() * 1000)) - started))


def plain(words: str | None) -> Text:
    """Words that others wrote: neither markup nor control characters of theirs reach the screen."""
    return Text("".join(character if character.isprintable() else " " for character in words or ""))
