"""Programs that `make test-clients` installs, each in an environment of its own, run unmodified as a user runs them."""

import contextlib
import hashlib
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clients.yard import Yard

RUN_SECONDS = 240.0

_HERE = Path(__file__).parent
_ENVIRONMENTS = _HERE.parents[1] / ".venv-clients"


def installed(name: str) -> Path:
    """The folder that the client of that name is installed in; skips the test if it is not, or of other versions."""
    folder = _ENVIRONMENTS / name
    locks = [_HERE / name / file for file in ("requirements.lock", "package-lock.json")]
    (lock,) = (path for path in locks if path.exists())
    mark = folder / "installed"
    if not mark.exists() or mark.read_text().split()[0] != hashlib.sha256(lock.read_bytes()).hexdigest():
        pytest.skip(f"the client {name} is not installed: make test-clients")
    return folder


def pointed_at(url: str, home: Path) -> dict[str, str]:
    """The environment by which an unmodified client finds a server: two endpoints, a region, any credentials.

    Nothing of this machine's own AWS configuration is in it; home is an empty folder.
    """
    return {
        "AWS_ENDPOINT_URL_BATCH": url,
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(home),
        "LANG": "C.UTF-8",
    }


@dataclass(frozen=True)
class Program:
    """An installed client, ready to run: where it is, where it works, and its environment."""

    folder: Path
    work: Path
    environment: Mapping[str, str]

    @classmethod
    def of(cls, name: str, yard: Yard, work: Path, **environment: str) -> "Program":
        """The client of that name, pointed at the yard's server; skips the test if it is not installed."""
        folder = installed(name)
        paths = [str(folder / "bin"), os.environ.get("PATH", os.defpath)]
        own = {**pointed_at(yard.server.url, work), "PATH": os.pathsep.join(paths)}
        return cls(folder, work, own | environment)

    def attempt(self, *command: Any, seconds: float = RUN_SECONDS) -> "subprocess.CompletedProcess[str]":
        """Run a command of the client's environment and return how it ended."""
        words = [str(word) for word in command]
        with subprocess.Popen(
            words,
            cwd=self.work,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                out, err = running.communicate(timeout=seconds)
            finally:
                with contextlib.suppress(ProcessLookupError):  # What it started may hang as it does.
                    os.killpg(running.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(words, running.returncode, out, err)

    def run(self, *command: Any, seconds: float = RUN_SECONDS) -> str:
        """The same for a command that is to succeed; returns what it printed."""
        done = self.attempt(*command, seconds=seconds)
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout
