"""`batchyard serve`: the server in the foreground."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchyard.cli.options import Data
from batchyard.cli.problem import CommandProblem

if TYPE_CHECKING:
    import logging

SWITCH_INTERVAL_SECONDS = 0.001
"""The event loop and the engine's thread share an interpreter; the default of 5 ms is longer than most requests."""


class ExecutorName(StrEnum):
    """What may run jobs; `auto` takes the best that works here."""

    AUTO = "auto"
    PROCESS = "process"
    OCI = "oci"
    DOCKER = "docker"
    PODMAN = "podman"


class LogFormat(StrEnum):
    """How the server's own log lines look on standard error."""

    TEXT = "text"
    JSON = "json"


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; 0 picks a free one. Default: 22824.")] = None,
    data: Data = None,
    executor: Annotated[ExecutorName | None, typer.Option(help="What runs the jobs. Default: auto.")] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="Where records are kept. Default: SQLite in the data folder.")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="A batchyard.toml; flags win over it.")] = None,
    max_vcpus: Annotated[
        float | None,
        typer.Option(metavar="N", help="vCPUs that jobs may hold together; more than there are, if you like."),
    ] = None,
    max_memory: Annotated[int | None, typer.Option(metavar="MIB", help="Memory that jobs may hold together.")] = None,
    log_format: Annotated[LogFormat, typer.Option(help="The form of the log on standard error.")] = LogFormat.TEXT,
) -> None:
    """Serve the API on this machine.

    Until SIGTERM or Ctrl-C; jobs that run then go on running. Prints one line, `batchyard listening on
    http://HOST:PORT`, once requests are answered. A first start makes a compute environment and a queue, both called
    default, of the whole machine.
    """
    from batchyard.server.assembly import Yard
    from batchyard.server.configuration import read_configuration
    from batchyard.server.problem import ConfigurationProblem
    from batchyard.store.database import DatabaseProblem

    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    _log_to_stderr(log_format)
    flags = {
        "host": host,
        "port": port,
        "data": data,
        "executor": None if executor is None else executor.value,
        "database": database,
        "max_vcpus": max_vcpus,
        "max_memory": max_memory,
    }
    try:
        configuration = read_configuration(config, flags)
        yard = Yard(configuration)
    except (ConfigurationProblem, DatabaseProblem) as problem:
        raise CommandProblem(str(problem)) from None
    try:
        yard.serve(lambda host, port: print(f"batchyard listening on {_url(host, port)}", flush=True))
    except OSError as problem:
        raise CommandProblem(_cannot_listen(configuration.host, configuration.port, problem)) from None
    finally:
        yard.close()
    print(
        "batchyard no longer listens; jobs that run go on under their supervisor, and the next start takes them in. "
        f"`batchyard stop --data {configuration.data}` ends them.",
        file=sys.stderr,
    )


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _cannot_listen(host: str, port: int, problem: OSError) -> str:
    import errno

    if problem.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is taken, perhaps by another batchyard. Choose another with --port, or 0 for any."
        )
    return f"Cannot listen on {host} port {port}: {problem.strerror or problem}."


# ------------------------------------------------------------------------------------------------------------------ log


def _log_to_stderr(form: LogFormat) -> None:
    import logging

    class Lines(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            fields = _fields(self, record)
            if form is LogFormat.JSON:
                return json.dumps(fields)
            return " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())

    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for noisy in ("alembic", "uvicorn"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _fields(formatter: "logging.Formatter", record: "logging.LogRecord") -> dict[str, Any]:
    from batchyard.server.request_log import request_id

    seconds = formatter.formatTime(record, "%Y-%m-%dT%H:%M:%S")
    fields: dict[str, Any] = {
        "time": f"{seconds}.{int(record.msecs):03}",
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
    }
    if (request := request_id.get()) is not None:
        fields["request_id"] = request
    if record.exc_info:
        fields["exception"] = formatter.formatException(record.exc_info)
    return fields


def _quoted(value: str) -> str:
    plain = value and all(character > " " and character not in '"=' for character in value)
    return value if plain else json.dumps(value)
