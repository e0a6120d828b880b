"""The command line as a person uses it: a process of its own for each command."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCES = Path(__file__).parents[2] / "src"
COMMAND = (sys.executable, "-m", "batchyard")
SECONDS_MAX = 60


def environment(**variables: str) -> dict[str, str]:
    """Ours without anything that configures AWS clients, so that what a test says is all there is."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {**ours, **nowhere, "PYTHONPATH": str(SOURCES), **variables}


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what it wrote."""

    exit_code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON value."""
        return json.loads(self.output)

    @property
    def job_id(self) -> str:
        """Standard output, which must be one line."""
        (line,) = self.output.splitlines()
        return line


@dataclass(frozen=True)
class Terminal:
    """Runs commands against one server, which the environment names."""

    url: str

    def __call__(self, *arguments: str, **variables: str) -> Outcome:
        """Run `batchyard ARGUMENTS`, however it ends."""
        ended = subprocess.run(
            [*COMMAND, *arguments],
            capture_output=True,
            text=True,
            env=environment(**{"AWS_ENDPOINT_URL_BATCH": self.url, **variables}),
            timeout=SECONDS_MAX,
        )
        return Outcome(ended.returncode, ended.stdout, ended.stderr)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `batchyard ARGUMENTS` and return at once; whoever calls ends it."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(AWS_ENDPOINT_URL_BATCH=self.url),
        )
