"""Traces in the Standard Workload Format, version 2.2: https://www.cs.huji.ac.il/labs/parallel/workload/swf.html.

One line for each job with 18 numbers, -1 for what is not known; lines that begin with `;` are comments, and those of
the form `; MaxProcs: 128` describe the machine.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from batchyard.core.ids import Millis

UNKNOWN = -1
_FIELDS = 18
_KIB_PER_MIB = 1024
_HEADER = re.compile(r";\s*(\w+)\s*:\s*(.*)")


class TraceProblem(Exception):
    """A file is not such a trace; the message says where and why."""


class _Field(IntEnum):
    """Where in a line, from 0. The others do not bear on when a job starts."""

    NUMBER = 0
    SUBMIT_TIME = 1
    RUN_TIME = 3
    ALLOCATED_PROCESSORS = 4
    USED_MEMORY = 6
    REQUESTED_PROCESSORS = 7
    REQUESTED_MEMORY = 9
    STATUS = 10
    USER = 11
    GROUP = 12
    EXECUTABLE = 13
    QUEUE = 14
    PRECEDING_JOB = 16
    THINK_TIME = 17


_CANCELLED = 5
_PARTIAL = (2, 3, 4)
"""Lines of the parts of a job that was swapped out; the whole of it has a line of its own."""


@dataclass(frozen=True, slots=True)
class TraceJob:
    """A job that ran. memory_mib: of all its processors. preceding: the number of a job that has to end first, think:
    how long after it. Ids are UNKNOWN where the trace does not have them."""

    number: int
    submitted_at: Millis
    run_millis: int
    processors: int
    memory_mib: int = 0
    user: int = UNKNOWN
    group: int = UNKNOWN
    executable: int = UNKNOWN
    queue: int = UNKNOWN
    preceding: int | None = None
    think_millis: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """jobs: in the order of submission. processors: of the machine, None where the trace does not say. skipped: how
    many lines could not be replayed, by the reason."""

    jobs: Sequence[TraceJob]
    processors: int | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)


def read_trace(lines: Iterable[str]) -> Trace:
    """The jobs of a trace that can be replayed. Raises TraceProblem."""
    headers: dict[str, str] = {}
    jobs: list[TraceJob] = []
    skipped: Counter[str] = Counter()
    known: set[int] = set()
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text.startswith(";"):
            if found := _HEADER.match(text):
                headers.setdefault(found[1], found[2].strip())
        elif text:
            values = _values(number, text)
            reason = _why_not(values)
            if reason is None:
                jobs.append(_job(values, known))
                known.add(jobs[-1].number)
            else:
                skipped[reason] += 1
    jobs.sort(key=lambda job: job.submitted_at)  # stable: equal times stay in the order of the lines
    return Trace(jobs, _processors(headers), skipped)


def written(trace: Trace, comments: Iterable[str] = ()) -> Iterator[str]:
    """The lines of a trace as a file has them."""
    yield "; Version: 2.2\n"
    yield f"; MaxJobs: {len(trace.jobs)}\n"
    if trace.processors is not None:
        yield f"; MaxProcs: {trace.processors}\n"
    for comment in comments:
        yield f"; {comment}\n"
    for job in trace.jobs:
        values = [UNKNOWN] * _FIELDS
        values[_Field.NUMBER] = job.number
        values[_Field.SUBMIT_TIME] = job.submitted_at // 1000
        values[_Field.RUN_TIME] = job.run_millis // 1000
        values[_Field.ALLOCATED_PROCESSORS] = values[_Field.REQUESTED_PROCESSORS] = job.processors
        if job.memory_mib:
            values[_Field.REQUESTED_MEMORY] = job.memory_mib * _KIB_PER_MIB // job.processors
        values[_Field.STATUS] = 1
        values[_Field.USER], values[_Field.GROUP] = job.user, job.group
        values[_Field.EXECUTABLE], values[_Field.QUEUE] = job.executable, job.queue
        if job.preceding is not None:
            values[_Field.PRECEDING_JOB], values[_Field.THINK_TIME] = job.preceding, job.think_millis // 1000
        yield " ".join(map(str, values)) + "\n"


def _values(number: int, text: str) -> list[float]:
    words = text.split()
    if len(words) != _FIELDS:
        raise TraceProblem(f"line {number} has {len(words)} fields, and a job has {_FIELDS}")
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise TraceProblem(f"line {number} has something that is not a number: {error}") from None
    if not all(map(math.isfinite, values)):
        raise TraceProblem(f"line {number} has a number that is not finite")
    return values


def _why_not(values: Sequence[float]) -> str | None:
    """Why a job cannot be replayed, or None."""
    if values[_Field.STATUS] in _PARTIAL:
        return "part of a job that has a line of its own"
    if values[_Field.STATUS] == _CANCELLED and values[_Field.RUN_TIME] <= 0:
        return "cancelled before it ran"
    if values[_Field.SUBMIT_TIME] < 0:
        return "no submit time"
    if values[_Field.RUN_TIME] < 0:
        return "no run time"
    return "no number of processors" if _processors_of(values) <= 0 else None


def _processors_of(values: Sequence[float]) -> int:
    """What was asked for is what a scheduler has to find; where that is not known, what was given."""
    requested = int(values[_Field.REQUESTED_PROCESSORS])
    return requested if requested > 0 else int(values[_Field.ALLOCATED_PROCESSORS])


def _job(values: Sequence[float], known: set[int]) -> TraceJob:
    """A job; only one whose line has come before can be its predecessor, so nothing waits in a circle."""
    processors, preceding = _processors_of(values), int(values[_Field.PRECEDING_JOB])
    kib = values[_Field.REQUESTED_MEMORY] if values[_Field.REQUESTED_MEMORY] > 0 else values[_Field.USED_MEMORY]
    return TraceJob(
        number=int(values[_Field.NUMBER]),
        submitted_at=Millis(round(values[_Field.SUBMIT_TIME] * 1000)),
        run_millis=max(1, round(values[_Field.RUN_TIME] * 1000)),  # 0: less than half a second
        processors=processors,
        memory_mib=int(max(0.0, kib) * processors / _KIB_PER_MIB),
        user=int(values[_Field.USER]),
        group=int(values[_Field.GROUP]),
        executable=int(values[_Field.EXECUTABLE]),
        queue=int(values[_Field.QUEUE]),
        preceding=preceding if preceding in known else None,
        think_millis=max(0, round(values[_Field.THINK_TIME] * 1000)),
    )


def _processors(headers: Mapping[str, str]) -> int | None:
    """MaxNodes counts where each node has one processor, which is when MaxProcs is left out."""
    for name in ("MaxProcs", "MaxNodes"):
        found = re.match(r"\d+", headers.get(name, ""))
        if found and int(found[0]) > 0:
            return int(found[0])
    return None
