"""Traces as they are found: with headers, holes, and lines that are not jobs."""

import pytest

from batchyard.simulator.swf import UNKNOWN, Trace, TraceJob, TraceProblem, read_trace, written
from batchyard.simulator.synthetic_day import synthetic_day

HEADER = """\
; Version: 2.2
;  Computer: a machine; of some kind
; MaxNodes: 16
; MaxProcs: 128 (two of them out of order)
; Note: MaxProcs: 4
;
"""


def line(**fields: float) -> str:
    """A job's line, with the fields by their numbers in the definition: f1 to f18."""
    known = {"f1": 1, "f2": 0, "f4": 60, "f5": 2, "f11": 1, **fields}
    return " ".join(str(known.get(f"f{number}", -1)) for number in range(1, 19))


def only(*lines: str) -> TraceJob:
    trace = read_trace(lines)
    assert not trace.skipped
    return trace.jobs[-1]


def test_the_header_tells_of_the_machine() -> None:
    assert read_trace(HEADER.splitlines()) == Trace([], 128)
    assert read_trace(["; MaxNodes: 16"]).processors == 16
    assert read_trace(["; MaxProcs: -1", "", "  ; MaxProcs: 8"]).processors is None


def test_every_field_that_counts_is_read() -> None:
    full = "7 30 5 60 8 55 100 4 120 2048 1 3 4 5 6 7 1 15"
    job = only(line(), full)
    assert job == TraceJob(7, 30_000, 60_000, 4, 8, 3, 4, 5, 6, 1, 15_000)


def test_what_is_not_known() -> None:
    job = only(line())
    assert (job.processors, job.memory_mib) == (2, 0), "allocated, since what was asked for is not known"
    assert (job.user, job.group, job.executable, job.queue) == (UNKNOWN,) * 4
    assert (job.preceding, job.think_millis) == (None, 0)


def test_used_memory_stands_in_for_requested_and_is_that_of_each_processor() -> None:
    assert only(line(f7=512)).memory_mib == 1
    assert only(line(f7=512, f10=4096)).memory_mib == 8


def test_times_may_be_fractions_and_a_job_lasts_a_moment_at_least() -> None:
    assert only(line(f2=1.5, f4=0.25)).submitted_at == 1500
    assert only(line(f4=0.25)).run_millis == 250
    assert only(line(f4=0)).run_millis == 1


def test_only_an_earlier_line_can_precede() -> None:
    assert only(line(f1=1), line(f1=2, f17=1)).preceding == 1
    assert only(line(f1=1), line(f1=2, f17=3)).preceding is None
    assert only(line(f1=1), line(f1=2, f17=2)).preceding is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"f11": 2}, "part of a job that has a line of its own"),
        ({"f11": 4}, "part of a job that has a line of its own"),
        ({"f11": 5, "f4": 0}, "cancelled before it ran"),
        ({"f2": -1}, "no submit time"),
        ({"f4": -1}, "no run time"),
        ({"f5": -1}, "no number of processors"),
    ],
)
def test_lines_that_cannot_be_replayed_are_counted(fields: dict[str, float], reason: str) -> None:
    assert read_trace([line(**fields)]) == Trace([], None, {reason: 1})


def test_failed_jobs_and_those_cancelled_while_they_ran_held_the_machine_too() -> None:
    assert len(read_trace([line(f11=0), line(f11=5)]).jobs) == 2


def test_jobs_come_in_the_order_of_submission() -> None:
    trace = read_trace([line(f1=1, f2=9), line(f1=2, f2=3), line(f1=3, f2=9)])
    assert [job.number for job in trace.jobs] == [2, 1, 3]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("1 2 3", "line 2 has 3 fields, and a job has 18"),
        (line().replace("60", "soon"), "line 2 has something that is not a number"),
        (line().replace("60", "nan"), "line 2 has a number that is not finite"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_line(bad: str, said: str) -> None:
    with pytest.raises(TraceProblem, match=said):
        read_trace([line(), bad])


def test_what_is_written_reads_back() -> None:
    trace = synthetic_day(50, 3)
    follower = TraceJob(51, trace.jobs[-1].submitted_at, 1000, 2, preceding=50, think_millis=4000)
    trace = Trace([*trace.jobs, follower], trace.processors)
    assert read_trace(written(trace, ["Note: made for a test"])) == trace
