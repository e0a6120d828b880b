"""P9: containers of /bin/true by the oci and podman executors, against crun in a loop and podman's bare API.

CPU is that of the whole machine, since an engine's work is spread over processes that come and go.
"""

import time
from pathlib import Path

from benchmarks.containers import (
    IMAGE,
    address,
    api_loop,
    busy_seconds,
    crun_loop,
    plain_loop,
    podman,
    why_no_containers,
)
from benchmarks.figures import Figure, Result, in_turns, median, polling, ratio
from benchmarks.yard import Yard

TARGET_RATE = 10.0
TARGET_CPU = 1.10
PATIENCE_SECONDS = 300.0
LOOK_EVERY_SECONDS = 0.05
TITLE = "containers of `/bin/true`: oci to crun in a loop and to podman's API, podman's executor to its API"
TARGET = "oci at least 10 x the jobs/s of the API; CPU per job at most 1.1 x that of the bare loops"


def measure(*, quick: bool) -> Result:
    """600 containers without an engine, 60 with one, in three rounds; a third of them in two rounds when quick."""
    light, heavy, rounds = (200, 20, 2) if quick else (600, 60, 3)
    if missing := why_no_containers():
        return Result("P9", TITLE, TARGET, f"not measured: {missing}", None)
    costs: dict[str, list[float]] = {name: [] for name in ("crun", "plain", "oci", "API", "podman")}

    def noted(name: str, jobs: int, found: tuple[float, float]) -> float:
        costs[name].append(1000 * found[1] / jobs)
        return jobs / found[0]

    with podman() as folder:
        rates = in_turns(
            rounds,
            {
                "crun": lambda: noted("crun", light, crun_loop(folder, light)),
                "plain": lambda: noted("plain", light, plain_loop(folder, light)),
                "oci": lambda: noted("oci", light, _array("oci", light, {})),
                "API": lambda: noted("API", heavy, api_loop(folder, heavy)),
                "podman": lambda: noted("podman", heavy, _array("podman", heavy, {"CONTAINER_HOST": address(folder)})),
            },
        )
    rate, over_crun = ratio(rates["oci"], rates["API"]), ratio(costs["oci"], costs["crun"])
    over_api = ratio(costs["podman"], costs["API"])
    over_plain = ratio(costs["oci"], costs["plain"])
    names = {
        "crun": "crun in a loop",
        "plain": "crun with all that a job has",
        "oci": "oci",
        "API": "podman's API",
        "podman": "podman",
    }
    return Result(
        number="P9",
        title=TITLE,
        target=TARGET,
        outcome=f"{rate:.1f} x the API; CPU {over_crun:.2f} x bare crun and {over_plain:.2f} x crun with equal work,"
        f" {over_api:.2f} x the API",
        holds=rate >= TARGET_RATE and over_crun <= TARGET_CPU and over_api <= TARGET_CPU,
        figures=[
            *(Figure(f"{names[name]}: jobs", median(found), "/s") for name, found in rates.items()),
            *(Figure(f"{names[name]}: CPU of the machine", median(found), "ms/job") for name, found in costs.items()),
        ],
    )


def _array(executor: str, jobs: int, environment: dict[str, str]) -> tuple[float, float]:
    """One array through a server that has run a first job; seconds, and CPU seconds of the machine until nothing is
    left of its containers."""
    with Yard(executor, environment) as yard:
        yard.define("contained", ["/bin/true"], image=IMAGE)
        _wait_for(yard, yard.submit(definition="contained"))
        before, start = busy_seconds(), time.perf_counter()
        _wait_for(yard, yard.submit(definition="contained", size=jobs))
        seconds = time.perf_counter() - start
        outputs = yard.data / "containers" / "output"
        for _ in polling(PATIENCE_SECONDS):
            if _is_tidy(outputs):
                break
            time.sleep(LOOK_EVERY_SECONDS)
        return seconds, busy_seconds() - before


def _is_tidy(outputs: Path) -> bool:
    return not outputs.exists() or not any(outputs.iterdir())


def _wait_for(yard: Yard, job_id: str) -> None:
    for _ in polling(PATIENCE_SECONDS):
        status = yard.connection.job(job_id)["status"]
        assert status != "FAILED", "the job FAILED"
        if status == "SUCCEEDED":
            return
        time.sleep(LOOK_EVERY_SECONDS)
