"""P8: one job writing lines without pause: its throughput against `cat >file`, and the API's answers meanwhile."""

import shutil
import subprocess
import tempfile
import time
from time import perf_counter

from batchyard.logs.files import logs_folder
from benchmarks.figures import Figure, Result, in_turns, median, percentile, polling, ratio
from benchmarks.yard import Yard

LINE = "2025-01-01T00:00:00 worker 7 has read a block of records and goes on with the next one"
TARGET_SHARE = 1 / 3
TARGET_P99_MS = 50.0
MIB = 1 << 20


def measure(*, quick: bool) -> Result:
    """1 GiB in three rounds; 256 MiB when quick."""
    size, rounds = (256 * MIB, 3) if quick else (1024 * MIB, 3)
    write = f"yes '{LINE}' | head -c {size}"
    latencies: list[float] = []
    with Yard() as yard:
        yard.define("lines", ["/bin/sh", "-c", write])
        found = in_turns(
            rounds,
            {
                "cat": lambda: size / _cat_seconds(write),
                "job": lambda: size / _job_seconds(yard, size, latencies),
            },
        )
    share, p99 = ratio(found["job"], found["cat"]), percentile(latencies, 0.99)
    return Result(
        number="P8",
        title=f"a job that writes {size // MIB} MiB of lines, to `cat >file`; DescribeJobs meanwhile",
        target="at least a third; p99 under 50 ms",
        outcome=f"{share:.2f} x; p99 {p99:.1f} ms",
        holds=share >= TARGET_SHARE and p99 < TARGET_P99_MS,
        figures=[
            Figure("job", median(found["job"]) / MIB, "MiB/s"),
            Figure("cat >file", median(found["cat"]) / MIB, "MiB/s"),
            Figure("DescribeJobs, p50", percentile(latencies, 0.5), "ms"),
        ],
    )


def _cat_seconds(write: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        subprocess.run(["/bin/sh", "-c", f"{write} | cat > lines"], cwd=folder, check=True, timeout=300)
        return perf_counter() - start


def _job_seconds(yard: Yard, size: int, latencies: list[float]) -> float:
    """From SubmitJob to SUCCEEDED; the log goes afterwards, lest rounds fill the disk."""
    start = perf_counter()
    job_id = yard.submit(definition="lines")
    for _ in polling(300.0):
        asked = perf_counter()
        status = yard.connection.job(job_id)["status"]
        latencies.append(1000 * (perf_counter() - asked))
        assert status != "FAILED", "the job FAILED"
        if status == "SUCCEEDED":
            break
        time.sleep(0.005)
    seconds = perf_counter() - start
    logs = logs_folder(yard.data)
    written = sum(file.stat().st_size for file in logs.glob("*/*.log"))
    assert written == size, f"{written} of {size} bytes are in the log"
    shutil.rmtree(logs)
    return seconds
