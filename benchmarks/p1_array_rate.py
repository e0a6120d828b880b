"""P1: one array of /bin/true from SubmitJob to SUCCEEDED, against `xargs`, HyperQueue and GNU parallel."""

import time
from dataclasses import dataclass

from benchmarks import peers
from benchmarks.figures import Figure, Result, in_turns, median, polling, ratio
from benchmarks.yard import Yard, children_cpu_seconds, cpu_seconds

TARGET_XARGS = 2.0
TARGET_HYPERQUEUE = 2.0
LOOK_EVERY_SECONDS = 0.05
PATIENCE_SECONDS = 120.0


@dataclass(slots=True)
class Costs:
    """CPU milliseconds a job, by who used them, one of each per round."""

    server: list[float]
    supervisor: list[float]
    children: list[float]


def measure(*, quick: bool) -> Result:
    """10,000 jobs in three rounds; 800 in two when quick. HyperQueue gets fewer, since only its rate is asked for."""
    jobs, peer_jobs, rounds = (800, 400, 2) if quick else (10_000, 3_000, 3)
    costs = Costs([], [], [])
    # What is returned is seconds a job, so that contenders may run different numbers of them.
    contenders = {
        "xargs": lambda: peers.xargs_seconds(jobs) / jobs,
        "batchyard": lambda: _array_seconds(jobs, costs) / jobs,
    }
    missing = peers.why_no_hyperqueue()
    if missing is None:
        contenders["HyperQueue"] = lambda: peers.hyperqueue_seconds(peer_jobs) / peer_jobs
    if peers.has_gnu_parallel():
        contenders["GNU parallel"] = lambda: peers.parallel_seconds(peer_jobs) / peer_jobs
    found = in_turns(rounds, contenders)
    against_xargs = ratio(found["batchyard"], found["xargs"])
    outcome, holds = f"{against_xargs:.2f} x xargs", against_xargs <= TARGET_XARGS
    if "HyperQueue" in found:
        against_hyperqueue = ratio(found["HyperQueue"], found["batchyard"])
        outcome += f"; {against_hyperqueue:.1f} x HyperQueue's rate"
        holds = holds and against_hyperqueue >= TARGET_HYPERQUEUE
    else:
        outcome += f"; HyperQueue not measured: {missing}"
    rates = [Figure(f"{name}: jobs", 1 / median(seconds), "/s") for name, seconds in found.items()]
    return Result(
        number="P1",
        title=f"an array of {jobs:,} x `/bin/true`, submitted to SUCCEEDED",
        target="at most 2 x the time of `xargs`, at least 2 x HyperQueue's rate",
        outcome=outcome,
        holds=holds,
        figures=[*rates, *_cost_figures(costs, jobs)],
    )


def _array_seconds(jobs: int, costs: Costs) -> float:
    """One array through a server that has just started."""
    with Yard() as yard:
        _wait_for(yard, yard.submit())  # the supervisor starts with the first job, once in its life
        supervisor = yard.supervisor_id()
        before = yard.cpu_seconds(), cpu_seconds(supervisor), children_cpu_seconds(supervisor)
        start = time.perf_counter()
        _wait_for(yard, yard.submit(size=jobs))
        seconds = time.perf_counter() - start
        after = yard.cpu_seconds(), cpu_seconds(supervisor), children_cpu_seconds(supervisor)
        server, own, children = (1000 * (b - a) / jobs for a, b in zip(before, after, strict=True))
        costs.server.append(server)
        costs.supervisor.append(own)
        costs.children.append(children)
    return seconds


def _wait_for(yard: Yard, job_id: str) -> None:
    for _ in polling(PATIENCE_SECONDS):
        status = yard.connection.job(job_id)["status"]
        if status == "SUCCEEDED":
            return
        assert status != "FAILED", "the array FAILED"
        time.sleep(LOOK_EVERY_SECONDS)


def _cost_figures(costs: Costs, jobs: int) -> list[Figure]:
    return [
        Figure("CPU of the server", median(costs.server), "ms/job"),
        Figure("CPU of the supervisor, spawning included", median(costs.supervisor), "ms/job"),
        Figure("CPU of the jobs themselves", median(costs.children), "ms/job"),
        Figure("CPU of xargs and its jobs", 1000 * peers.xargs_cpu_seconds(jobs) / jobs, "ms/job"),
    ]
