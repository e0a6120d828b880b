"""P2: on an idle server, from sending SubmitJob of /bin/true to seeing SUCCEEDED; asked every millisecond."""

import time
from time import perf_counter

from benchmarks.figures import Figure, Result, percentile, polling
from benchmarks.peers import xargs_seconds
from benchmarks.yard import Yard

TARGET_P50_MS = 25.0
TARGET_P99_MS = 100.0
PAUSE_SECONDS = 0.02


def measure(*, quick: bool) -> Result:
    """200 samples, 60 when quick, and as many of a bare spawn of /bin/true in turn with them."""
    samples = 60 if quick else 200
    latencies, answers, bare = [], [], []
    with Yard() as yard:
        _sample(yard)  # starts the supervisor
        for _ in range(samples):
            latency, answered = _sample(yard)
            latencies.append(1000 * latency)
            answers.append(1000 * answered)
            bare.append(1000 * xargs_seconds(1))
            time.sleep(PAUSE_SECONDS)
    p50, p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
    return Result(
        number="P2",
        title="idle server, `/bin/true` submitted to SUCCEEDED seen",
        target="p50 under 25 ms, p99 under 100 ms",
        outcome=f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
        holds=p50 < TARGET_P50_MS and p99 < TARGET_P99_MS,
        figures=[
            Figure("SubmitJob answered, p50", percentile(answers, 0.5), "ms"),
            Figure("SubmitJob answered, p99", percentile(answers, 0.99), "ms"),
            Figure("xargs of one /bin/true, p50", percentile(bare, 0.5), "ms"),
            Figure("xargs of one /bin/true, p99", percentile(bare, 0.99), "ms"),
        ],
    )


def _sample(yard: Yard) -> tuple[float, float]:
    """Seconds to SUCCEEDED, and to SubmitJob's answer."""
    start = perf_counter()
    job_id = yard.submit()
    answered = perf_counter() - start
    for _ in polling(30.0):
        if yard.connection.job(job_id)["status"] == "SUCCEEDED":
            break
        time.sleep(0.001)
    return perf_counter() - start, answered
