"""P3: durable SubmitJob requests a second over eight connections, against moto's server, which keeps nothing.

The jobs go into a queue whose compute environment is DISABLED, so nothing but the submission is measured. moto does
with its jobs what it does by default: a thread for each, which looks for Docker. Its mode without Docker, where a job
is marked as finished at once, stands beside it.
"""

from contextlib import ExitStack

from benchmarks import peers
from benchmarks.connection import load, raw_request
from benchmarks.figures import Figure, Result, in_turns, median, ratio
from benchmarks.yard import Yard

TARGET = 10.0


def measure(*, quick: bool) -> Result:
    """Three rounds, five in full, of thousands of requests to this server and hundreds to moto."""
    ours, theirs, rounds = (1_500, 150, 3) if quick else (6_000, 400, 5)
    request = raw_request("submitjob", jobName="bench", jobQueue="bench", jobDefinition="true")
    with ExitStack() as stack:
        yard = stack.enter_context(Yard())
        yard.queue("bench")
        contenders = {"batchyard": lambda: ours / load(yard.port, request, ours)}
        if peers.has_moto():
            port = stack.enter_context(peers.moto(uses_docker=True))
            contenders["moto"] = lambda: theirs / load(port, request, theirs)
            if not quick:
                plain_port = stack.enter_context(peers.moto(uses_docker=False))
                contenders["moto without Docker"] = lambda: theirs / load(plain_port, request, theirs)
        load(yard.port, request, 100)
        before = yard.cpu_seconds()
        found = in_turns(rounds, contenders)
        cpu_ms = 1000 * (yard.cpu_seconds() - before) / (rounds * ours)
    against = ratio(found["batchyard"], found["moto"]) if "moto" in found else None
    figures = [Figure(f"{name}: SubmitJob", median(rates), "/s") for name, rates in found.items()]
    if "moto without Docker" in found:
        plain = ratio(found["batchyard"], found["moto without Docker"])
        figures.append(Figure("to moto without Docker", plain, "x"))
    return Result(
        number="P3",
        title="SubmitJob, eight connections, on disk before it is answered",
        target="at least 10 x moto server",
        outcome=f"{against:.1f} x moto" if against else "moto is not installed in .venv-bench (`make bench` does it)",
        holds=None if against is None else against >= TARGET,
        figures=[*figures, Figure("CPU of the server", cpu_ms, "ms/request")],
    )
