"""A word count as a graph of jobs, through plain boto3, on a server of its own. `make demo` runs this.

    split ──> map ══> shuffle ──> merge ──> reduce
    one job   array   array, each  array,    one job
              of 8    child after  one child
                      its map      at a time

What counts is in word_count.py, beside this file. The server gets a free port and a temporary data folder; nothing of
it is left at the end. Against AWS Batch itself, `start_server` is all that would go away (and the folder in which the
steps meet would be in S3).
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import word_count
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

SHARDS = 8
LOG_GROUP = "/aws/batch/job"
BATCHYARD = [sys.executable, "-m", "batchyard"]
COLOURS = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "RUNNING": "yellow",
    "STARTING": "bright_yellow",
    "RUNNABLE": "blue",
    "PENDING": "bright_black",
    "SUBMITTED": "bright_black",
}


@dataclass(frozen=True)
class Step:
    """A submitted step, and what it is in a few words."""

    name: str
    job_id: str
    kind: str


def main() -> int:
    """Run the demonstration; return 0 if the jobs' answer equals the one computed here."""
    console = Console(highlight=False)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="batchyard-demo-") as folder:
        work = Path(folder, "work")
        work.mkdir()
        with start_server(Path(folder, "data")) as url:
            console.print(f"[bold]A Batchyard listens on {url}[/]; boto3 talks to it as it would to AWS.\n")
            batch, logs = (
                boto3.client(
                    service,
                    endpoint_url=url,
                    region_name="us-east-1",
                    aws_access_key_id="demo",
                    aws_secret_access_key="demo",
                )
                for service in ("batch", "logs")
            )
            steps = submit_all(batch, work)
            if not watch(batch, steps, console):
                return 1
            show_retried_child(batch, logs, steps[1], console)
            is_right = show_answer(work, console)
    console.print(f"\nServer and jobs are gone again. All of it took {time.monotonic() - began:.1f} seconds.")
    return 0 if is_right else 1


@contextlib.contextmanager
def start_server(data: Path) -> Iterator[str]:
    """A server on a free port, gone at the end with all that it ran; gives its URL."""
    log = data.with_name("server.log")
    with log.open("w") as stderr:
        server = subprocess.Popen(
            [*BATCHYARD, "serve", "--data", str(data), "--port", "0", "--executor", "process"],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            sys.exit(f"The server did not start:\n{log.read_text()}")
        yield line.split()[-1]
    finally:
        subprocess.run([*BATCHYARD, "stop", "--data", str(data)], check=True, capture_output=True)
        server.wait()


def submit_all(batch: Any, work: Path) -> list[Step]:
    """Register one definition and submit the whole graph at once; the dependencies put it in order."""
    script = str(Path(word_count.__file__).resolve())
    definition = batch.register_job_definition(
        jobDefinitionName="word-count",
        type="container",
        parameters={"folder": str(work), "shards": str(SHARDS)},
        containerProperties={
            "image": "public.ecr.aws/docker/library/python:3.13-slim",
            "command": [sys.executable, script, "Ref::step", "Ref::folder", "Ref::shards"],
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "256"}],
        },
    )["jobDefinitionArn"]

    def submit(name: str, kind: str, **members: Any) -> Step:
        answer = batch.submit_job(
            jobName=name, jobQueue="default", jobDefinition=definition, parameters={"step": name}, **members
        )
        return Step(name, answer["jobId"], kind)

    split = submit("split", "one job")
    map_ = submit(
        "map",
        f"array of {SHARDS}, after split",
        arrayProperties={"size": SHARDS},
        dependsOn=[{"jobId": split.job_id}],
        retryStrategy={
            "attempts": 3,
            "evaluateOnExit": [
                {"onExitCode": str(word_count.TEMPORARY_FAILURE), "action": "RETRY"},
                {"onExitCode": "*", "action": "EXIT"},
            ],
        },
    )
    shuffle = submit(
        "shuffle",
        f"array of {SHARDS}, N_TO_N with map",
        arrayProperties={"size": SHARDS},
        dependsOn=[{"jobId": map_.job_id, "type": "N_TO_N"}],
    )
    merge = submit(
        "merge",
        f"array of {len(word_count.BUCKETS)}, SEQUENTIAL",
        arrayProperties={"size": len(word_count.BUCKETS)},
        dependsOn=[{"jobId": shuffle.job_id}, {"type": "SEQUENTIAL"}],
    )
    reduce = submit("reduce", "one job, after merge", dependsOn=[{"jobId": merge.job_id}])
    return [split, map_, shuffle, merge, reduce]


def watch(batch: Any, steps: list[Step], console: Console) -> bool:
    """Show the graph until nothing of it is left to do; return whether every job succeeded."""
    seen: dict[str, str] = {}
    with Live(console=console, auto_refresh=False) if console.is_terminal else contextlib.nullcontext() as live:
        while True:
            jobs = {job["jobId"]: job for job in batch.describe_jobs(jobs=[step.job_id for step in steps])["jobs"]}
            if live is not None:
                live.update(graph(steps, jobs), refresh=True)
            for step in steps:
                status = jobs[step.job_id]["status"]
                if live is None and seen.get(step.name) != status:
                    console.print(f"{step.name:8} {status:10} {step.kind}")
                seen[step.name] = status
            if all(status in ("SUCCEEDED", "FAILED") for status in seen.values()):
                break
            time.sleep(0.05)
    for step in steps:
        if seen[step.name] == "FAILED":
            console.print(f"[red]{step.name} failed:[/] {jobs[step.job_id].get('statusReason')}")
    return set(seen.values()) == {"SUCCEEDED"}


def graph(steps: list[Step], jobs: dict[str, dict[str, Any]]) -> Table:
    """The steps, and a block for every child, coloured by its status."""
    table = Table.grid(padding=(0, 2))
    for step in steps:
        job = jobs[step.job_id]
        summary = job.get("arrayProperties", {}).get("statusSummary") or {job["status"]: 1}
        blocks = Text()
        for status, colour in COLOURS.items():
            blocks.append("■ " * summary.get(status, 0), colour)
        table.add_row(
            f"[bold]{step.name}[/]", blocks, Text(job["status"], COLOURS[job["status"]]), f"[dim]{step.kind}[/]"
        )
    return table


def show_retried_child(batch: Any, logs: Any, map_: Step, console: Console) -> None:
    """What the child that needed two attempts wrote in each, read through the Logs API."""
    child = batch.describe_jobs(jobs=[f"{map_.job_id}:{word_count.FLAKY_SHARD}"])["jobs"][0]
    console.print(f"\n[bold]map:{word_count.FLAKY_SHARD} needed {len(child['attempts'])} attempts[/]; their logs:")
    for number, attempt in enumerate(child["attempts"], 1):
        container = attempt["container"]
        console.print(f"  attempt {number}, exit code {container['exitCode']}, {container['logStreamName']}")
        events = logs.get_log_events(
            logGroupName=LOG_GROUP, logStreamName=container["logStreamName"], startFromHead=True
        )["events"]
        for event in events:
            console.print(f"    {event['message']}", markup=False)


def show_answer(work: Path, console: Console) -> bool:
    """Print what the jobs found; return whether counting all the texts here, directly, finds the same."""
    answer = Counter(json.loads((work / "answer.json").read_text("utf-8")))
    console.print(f"\n[bold]{answer.total():,} words, {len(answer):,} different ones.[/] The most frequent:")
    for word, count in answer.most_common(8):
        console.print(f"  {word:10} {count:>7,}")
    direct: Counter[str] = Counter()
    for path in word_count.texts():
        direct.update(word_count.count_words(path.read_text("utf-8", "replace")))
    if answer != direct:
        console.print("[red]Counting the texts directly finds something else.[/]")
        return False
    console.print("[green]Counting the texts directly finds the same.[/]")
    return True


if __name__ == "__main__":
    sys.exit(main())
