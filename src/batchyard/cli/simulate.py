"""`batchyard simulate`: what would this policy do to that work?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from batchyard.cli.options import Output, OutputForm
from batchyard.cli.problem import CommandProblem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table
    from rich.text import Text

    from batchyard.simulator.properties import Finding
    from batchyard.simulator.summary import Summary
    from batchyard.simulator.swf import Trace
    from batchyard.simulator.yard import SimulatedYard

_BUILT_IN = {"fifo": "", "fair-share": '[[jobQueues]]\njobQueueName = "default"\nfairsharePolicy = {}\n'}
"""What is compared where no file is given."""


def simulate(
    trace: Annotated[
        Path | None,
        typer.Argument(
            metavar="TRACE",
            help="A trace in the Standard Workload Format. Default: a day of work made from a seed.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    policy: Annotated[
        list[Path] | None,
        typer.Option(
            "--policy",
            "-p",
            metavar="FILE",
            help="The machine, queues and policies to try, in TOML; several are compared. Default: first in, first "
            "out, and fair share among users.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="How many jobs the made day has.")] = 4000,
    seed: Annotated[int, typer.Option(metavar="N", help="What the day is made from.")] = 1,
    vcpus: Annotated[int, typer.Option(metavar="N", min=1, help="Of the machine that the day keeps busy.")] = 64,
    save_trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the trace to this file, without what was skipped.")
    ] = None,
    charts: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw utilization.svg and shares.svg into this folder.")
    ] = None,
    output: Output = OutputForm.TABLE,
) -> None:
    """Replay work against scheduling policies, at simulated speed.

    Nothing runs and no server is asked: the same code that places jobs in the server decides. Says how long jobs wait,
    and checks what scheduling promises; the exit code is 1 if any of it does not hold.
    """
    from batchyard.simulator import swf
    from batchyard.simulator.replay import replay
    from batchyard.simulator.summary import summary

    work, comment = _work(trace, jobs, seed, vcpus)
    if save_trace is not None:
        _write(save_trace, "".join(swf.written(work, (comment,))))
    records = [replay(work, yard) for yard in _yards(policy or (), work)]
    if charts is not None:
        from batchyard.simulator.charts import charts as drawn

        for name, picture in drawn(records).items():
            _write(charts / name, picture)
    found = [summary(record) for record in records]
    _show(work, found, output)
    if not all(one.holds for one in found):
        raise typer.Exit(1)


def _work(trace: Path | None, jobs: int, seed: int, vcpus: int) -> "tuple[Trace, str]":
    """The trace, and a line on where it is from."""
    from batchyard.simulator.swf import TraceProblem, read_trace
    from batchyard.simulator.synthetic_day import synthetic_day

    if trace is None:
        return synthetic_day(jobs, seed, vcpus), f"Note: batchyard simulate --jobs {jobs} --seed {seed} --vcpus {vcpus}"
    try:
        with trace.open(encoding="utf-8", errors="replace") as lines:
            return read_trace(lines), f"Note: {trace.name}"
    except TraceProblem as problem:
        raise CommandProblem(f"{trace} is not a trace in the Standard Workload Format: {problem}.") from None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise CommandProblem(f"{path} cannot be written: {error.strerror}.") from None


def _yards(files: "Sequence[Path]", work: "Trace") -> "list[SimulatedYard]":
    from batchyard.simulator.yard import YardProblem, read_yard

    try:
        texts = [(file.stem, file.read_text()) for file in files] or list(_BUILT_IN.items())
        return [read_yard(name, text, work) for name, text in texts]
    except (YardProblem, UnicodeDecodeError) as problem:
        raise CommandProblem(str(problem)) from None


def _show(work: "Trace", found: "Sequence[Summary]", output: OutputForm) -> None:
    import msgspec
    from rich.text import Text

    from batchyard.cli import screen

    if output is OutputForm.JSON:
        simulations = [{"holds": one.holds, **msgspec.to_builtins(one)} for one in found]
        screen.print_json({"skipped": dict(work.skipped), "simulations": simulations})
        return
    console = screen.console()
    for reason, number in work.skipped.items():
        console.print(f"Lines of the trace that are not replayed: {number:,}, {reason}")
    for one in found:
        console.print()
        console.print(
            Text(one.yard, "bold"),
            f": {one.jobs:,} jobs, utilization {one.utilization:.1%}, makespan {_time(one.makespan_seconds)}, "
            f"{one.plans:,} plans",
            sep="",
        )
        if one.misfits:
            console.print(f"Jobs that could never fit, and hold up nobody: {one.misfits:,}")
        console.print(_waits(one))
        for finding in one.findings:
            console.print(_told(finding))


def _waits(one: "Summary") -> "Table":
    from batchyard.cli import screen

    table = screen.table(
        "QUEUE", "SHARE", ">JOBS", ">VCPU-H", ">WEIGHT", ">MEAN WAIT", ">P95 WAIT", ">LONGEST", ">SLOWDOWN", ">ERROR"
    )
    for waits in one.waits:
        table.add_row(
            screen.plain(waits.queue),
            waits.share_identifier or "all",
            f"{waits.jobs:,}",
            f"{waits.vcpu_seconds / 3600:,.0f}",
            "" if waits.weight is None else f"{waits.weight:g}",
            _time(waits.mean_wait),
            _time(waits.p95_wait),
            _time(waits.longest_wait),
            f"{waits.mean_bounded_slowdown:,.1f}",
            "" if waits.share_error is None else f"{waits.share_error:.1%}",
        )
    return table


def _told(finding: "Finding") -> "Text":
    from rich.text import Text

    if not finding.tested:
        return Text.assemble("  ", ("not tested", "yellow"), f"  {finding.name}")
    if finding.holds:
        return Text.assemble("  ", ("holds", "green"), f"       {finding.name} ({finding.tested:,} tests)")
    examples = "".join(f"\n              {example}" for example in finding.examples)
    how_often = f"{finding.violations:,} of {finding.tested:,} tests"
    return Text.assemble("  ", ("violated", "red"), f"    {finding.name} ({how_often}){examples}")


def _time(seconds: float) -> str:
    from batchyard.cli import screen

    return screen.duration_text(round(seconds) * 1000) if seconds >= 0.5 else "0s"
