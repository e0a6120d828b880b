"""The command line as a person uses it."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from batchyard.cli.main import main

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
        """Run `batchyard ARGUMENTS` in this process, which is quicker than in one of its own."""
        output, errors = io.StringIO(), io.StringIO()
        surroundings = environment(**{"AWS_ENDPOINT_URL_BATCH": self.url, **variables})
        with (
            patch.dict(os.environ, surroundings, clear=True),
            patch.object(sys, "argv", ["batchyard", *arguments]),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        code = ended.value.code
        return Outcome(code if isinstance(code, int) else 0, output.getvalue(), errors.getvalue())

    def outside(self, *arguments: str) -> Outcome:
        """Run `batchyard ARGUMENTS` in a process of its own."""
        with self.start(*arguments) as started:
            output, errors = started.communicate(timeout=SECONDS_MAX)
        return Outcome(started.returncode, output, errors)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start `batchyard ARGUMENTS` in a process of its own and return at once; whoever calls ends it."""
        return subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(AWS_ENDPOINT_URL_BATCH=self.url),
            preexec_fn=_heed_interrupts,  # noqa: PLW1509 - no other thread is at work here
        )


def _heed_interrupts() -> None:
    """A terminal's programs do; whoever runs the tests in the background has told them not to."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
