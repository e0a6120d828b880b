"""P5: a million children queued: how long it takes, what the server holds, how soon it is back after kill -9."""

from time import perf_counter

from benchmarks.figures import Figure, Result
from benchmarks.yard import Yard

ARRAYS = 100
SIZE = 10_000
TARGET_SUBMIT_SECONDS = 2.0
TARGET_RESIDENT_MIB = 200.0
TARGET_RESTART_SECONDS = 3.0


def measure(*, quick: bool) -> Result:
    """The same whether quick or not: it takes a few seconds. The restart is compared with one of an empty yard."""
    with Yard() as yard:
        empty_mib, empty_restart = yard.resident_mib(), yard.kill_and_restart()
        yard.queue("bench")
        start = perf_counter()
        for _ in range(ARRAYS):
            last = yard.submit("bench", SIZE)
        submit_seconds = perf_counter() - start
        resident = yard.resident_mib()
        restart_seconds = yard.kill_and_restart()
        child = yard.connection.job(f"{last}:{SIZE - 1}")
        assert child["status"] == "RUNNABLE", f"the last child is {child['status']}"
        resident = max(resident, yard.resident_mib())
    return Result(
        number="P5",
        title="1,000,000 children queued in 100 arrays: submitted, resident, ready after kill -9",
        target="under 2 s, 200 MiB, 3 s",
        outcome=f"{submit_seconds:.2f} s, {resident:.0f} MiB, {restart_seconds:.2f} s",
        holds=submit_seconds < TARGET_SUBMIT_SECONDS
        and resident < TARGET_RESIDENT_MIB
        and restart_seconds < TARGET_RESTART_SECONDS,
        figures=[
            Figure("resident with nothing queued", empty_mib, "MiB"),
            Figure("ready after kill -9 with nothing queued", empty_restart, "s"),
            Figure("restart against one with nothing queued", restart_seconds / empty_restart, "x"),
        ],
    )
