"""What someone wants to be run: the options of `submit` and `run`, written once for both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from batchyard.cli.options import EndpointUrl, Output, OutputForm, Queue
from batchyard.core.batchyard_tags import After

Command = Annotated[list[str] | None, typer.Argument(metavar="COMMAND", help="What to run; not read by a shell.")]
Name = Annotated[str | None, typer.Option("--name", "-n", help="The job's name. Default: the program's.")]
Array = Annotated[int | None, typer.Option(metavar="N", help="Make it an array of N children.")]
MaxParallel = Annotated[
    int | None, typer.Option("--max-parallel", metavar="N", help="Run at most N children of the array at once.")
]
Retry = Annotated[int | None, typer.Option(metavar="N", help="Attempts in all, 1 to 10.")]
Timeout = Annotated[int | None, typer.Option(metavar="SECONDS", help="End an attempt after so long; 60 at least.")]
Vcpus = Annotated[str | None, typer.Option(metavar="N", help="vCPUs of the job, or of each child. Default: 1.")]
Memory = Annotated[str | None, typer.Option(metavar="MIB", help="Memory of the job, or of each child. Default: 512.")]
Env = Annotated[
    list[str] | None,
    typer.Option("--env", "-e", metavar="NAME[=VALUE]", help="A variable; without a value, as it is here. Repeatable."),
]
Image = Annotated[str | None, typer.Option(help="The container image, for executors that use one.")]
DependsOn = Annotated[
    list[str] | None,
    typer.Option(metavar="JOB[:TYPE]", help="Wait for that job, array or child. Repeatable."),
]
AfterOption = Annotated[
    After,
    typer.Option("--after", help="Run once those have succeeded, have ended in any way, or one of them has failed."),
]
NToN = Annotated[
    list[str] | None,
    typer.Option("--n-to-n", metavar="JOB", help="Each child waits for the child of that array with its index."),
]
Sequential = Annotated[bool, typer.Option("--sequential", help="Run the children of the array one after another.")]
Definition = Annotated[
    str | None, typer.Option(metavar="NAME[:REVISION]", help="Use this job definition. Default: one made for you.")
]


@dataclass(frozen=True)
class Wish:
    """What the options say; None and empty where they were not given."""

    command: Sequence[str]
    name: str | None
    queue: str
    array_size: int | None
    max_parallel: int | None
    attempts: int | None
    timeout_seconds: int | None
    vcpus: str | None
    memory_mib: str | None
    environment: Sequence[str]
    image: str | None
    depends_on: Sequence[str]
    after: After
    n_to_n: Sequence[str]
    is_sequential: bool
    definition: str | None


def wished(carry_out: Callable[[Wish, str | None, OutputForm], None]) -> Callable[..., None]:
    """A command with these options, named and described as the function that carries the wish out."""

    def command_with_options(
        command: Command = None,
        name: Name = None,
        queue: Queue = "default",
        array: Array = None,
        max_parallel: MaxParallel = None,
        retry: Retry = None,
        timeout: Timeout = None,
        vcpus: Vcpus = None,
        memory: Memory = None,
        env: Env = None,
        image: Image = None,
        depends_on: DependsOn = None,
        after: AfterOption = After.SUCCESS,
        n_to_n: NToN = None,
        sequential: Sequential = False,
        definition: Definition = None,
        endpoint_url: EndpointUrl = None,
        output: Output = OutputForm.TABLE,
    ) -> None:
        wish = Wish(
            command=command or [],
            name=name,
            queue=queue,
            array_size=array,
            max_parallel=max_parallel,
            attempts=retry,
            timeout_seconds=timeout,
            vcpus=vcpus,
            memory_mib=memory,
            environment=env or [],
            image=image,
            depends_on=depends_on or [],
            after=after,
            n_to_n=n_to_n or [],
            is_sequential=sequential,
            definition=definition,
        )
        carry_out(wish, endpoint_url, output)

    command_with_options.__name__ = carry_out.__name__
    command_with_options.__doc__ = carry_out.__doc__
    return command_with_options
