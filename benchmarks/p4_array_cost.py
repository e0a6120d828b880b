"""P4: what SubmitJob of an array of 10,000 costs the server's CPU, against SubmitJob of a single job."""

from benchmarks.connection import load, raw_request
from benchmarks.figures import Figure, Result, in_turns, median, ratio
from benchmarks.yard import Yard

TARGET = 2.0


def measure(*, quick: bool) -> Result:
    """Blocks of 50 single jobs and 50 arrays in turn, one connection, into a queue that runs nothing."""
    block, rounds = 50, 7 if quick else 21
    members = {"jobName": "bench", "jobQueue": "bench", "jobDefinition": "true"}
    single = raw_request("submitjob", **members)
    array = raw_request("submitjob", **members, arrayProperties={"size": 10_000})
    with Yard() as yard:
        yard.queue("bench")

        def cost(request: bytes) -> float:
            before = yard.cpu_seconds()
            load(yard.port, request, block, connections=1)
            return 1000 * (yard.cpu_seconds() - before) / block

        found = in_turns(rounds, {"single": lambda: cost(single), "array": lambda: cost(array)})
    against = ratio(found["array"], found["single"])
    return Result(
        number="P4",
        title="SubmitJob of an array of 10,000 against a single job, server CPU",
        target="at most 2 x",
        outcome=f"{against:.2f} x",
        holds=against <= TARGET,
        figures=[
            Figure("a single job", median(found["single"]), "ms CPU"),
            Figure("an array of 10,000", median(found["array"]), "ms CPU"),
        ],
    )
