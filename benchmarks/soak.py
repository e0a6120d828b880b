"""python -m benchmarks.soak [--minutes 30]: a server under steady work for a long time; nothing of it may grow.

Every second an array of 200 short jobs, single jobs that fail and are retried, a job that is terminated, and the calls
of whoever watches. Each minute a line: jobs ended, memory and descriptors of server and supervisor, latencies. The exit
code is 1 if memory, descriptors or the p99 of SubmitJob at the end are much above what they were after a tenth.
"""

import argparse
import sys
import time
from dataclasses import dataclass, field
from time import perf_counter

import psutil

from benchmarks.figures import percentile
from benchmarks.yard import Yard

ARRAY = 200
MEMORY_GROWTH_MIB = 40.0
DESCRIPTOR_GROWTH = 16
LATENCY_GROWTH = 3.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One minute."""

    ended: int
    server_mib: float
    supervisor_mib: float
    descriptors: int
    submit_p99_ms: float
    describe_p99_ms: float


@dataclass(slots=True)
class Watch:
    """What is noted during a minute."""

    submits: list[float] = field(default_factory=list)
    describes: list[float] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    ended: int = 0


def main() -> int:
    """Soak, print a line a minute; 1 if something grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    options = parser.parse_args()
    samples: list[Sample] = []
    print("minute    ended   server  supervisor  descriptors  SubmitJob p99  DescribeJobs p99")
    with Yard() as yard:
        yard.define("fails", ["/bin/false"])
        yard.define("sleeps", ["/bin/sleep", "60"])
        until = perf_counter() + 60 * options.minutes
        while perf_counter() < until:
            samples.append(_minute(yard, min(60.0, until - perf_counter())))
            last = samples[-1]
            print(
                f"{len(samples):6d} {last.ended:8d} {last.server_mib:5.0f} MiB {last.supervisor_mib:7.0f} MiB"
                f" {last.descriptors:12d} {last.submit_p99_ms:11.1f} ms {last.describe_p99_ms:14.1f} ms",
                flush=True,
            )
    return _verdict(samples)


def _minute(yard: Yard, seconds: float) -> Sample:
    watch, end = Watch(), perf_counter() + seconds
    while perf_counter() < end:
        started = perf_counter()
        _second(yard, watch)
        time.sleep(max(0.0, min(1.0, end - started) - (perf_counter() - started)))
    server, supervisor = psutil.Process(yard.process.pid), psutil.Process(yard.supervisor_id())
    return Sample(
        watch.ended,
        yard.resident_mib(),
        float(supervisor.memory_info().rss) / (1 << 20),
        server.num_fds() + supervisor.num_fds(),
        1000 * percentile(watch.submits, 0.99),
        1000 * percentile(watch.describes, 0.99),
    )


def _second(yard: Yard, watch: Watch) -> None:
    call = yard.connection.call
    for definition, members in (
        ("true", {"arrayProperties": {"size": ARRAY}}),
        ("fails", {"retryStrategy": {"attempts": 3}}),
        ("sleeps", {}),
        ("true", {}),
    ):
        start = perf_counter()
        job_id = call("submitjob", jobName="soak", jobQueue="default", jobDefinition=definition, **members)["jobId"]
        watch.submits.append(perf_counter() - start)
        if definition == "sleeps":
            call("terminatejob", jobId=job_id, reason="enough")
        else:
            watch.waiting.append(job_id)
    start = perf_counter()
    found = call("describejobs", jobs=watch.waiting[:100])["jobs"]
    watch.describes.append(perf_counter() - start)
    call("listjobs", jobQueue="default", jobStatus="SUCCEEDED")
    done = {job["jobId"]: job.get("arrayProperties", {}).get("size", 1) for job in found if "stoppedAt" in job}
    watch.waiting = [job_id for job_id in watch.waiting if job_id not in done]
    watch.ended += sum(done.values())


def _verdict(samples: list[Sample]) -> int:
    early, late = samples[len(samples) // 10], samples[-1]
    grown = {
        "memory of the server": late.server_mib - early.server_mib > MEMORY_GROWTH_MIB,
        "memory of the supervisor": late.supervisor_mib - early.supervisor_mib > MEMORY_GROWTH_MIB,
        "descriptors": late.descriptors - early.descriptors > DESCRIPTOR_GROWTH,
        "SubmitJob p99": late.submit_p99_ms > LATENCY_GROWTH * max(20.0, early.submit_p99_ms),
    }
    for name, has_grown in grown.items():
        if has_grown:
            print(f"{name} has grown")
    return int(any(grown.values()))


if __name__ == "__main__":
    sys.exit(main())
