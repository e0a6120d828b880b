"""The operations of array jobs in full, by a client of the month they appeared in and by today's."""

import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from tests.clients.server_process import ServerProcess

pytestmark = [pytest.mark.process, pytest.mark.clients]

SCRIPT = Path(__file__).with_name("seed_operations.py")
PYTHON_2017 = Path(__file__).parents[2] / ".venv-2017" / "bin" / "python"

CLIENTS = [
    pytest.param(Path(sys.executable), boto3.__version__, id="newest"),
    pytest.param(
        PYTHON_2017,
        "1.4.8",
        id="2017",
        marks=pytest.mark.skipif(
            not PYTHON_2017.exists(), reason="boto3 of 2017 is not installed: run `bash tests/machine/prepare`"
        ),
    ),
]


@pytest.mark.parametrize(("python", "version"), CLIENTS)
def test_the_three_operations_in_full(server: ServerProcess, tmp_path: Path, python: Path, version: str) -> None:
    done = subprocess.run(
        [python, "-W", "ignore", SCRIPT, server.url, tmp_path],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"boto3 {version},")
    assert done.stdout.endswith("every member sent or seen\n")
