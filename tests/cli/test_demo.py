"""What `make demo` runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import environment

DEMO = Path(__file__).parents[2] / "examples" / "map_reduce.py"


@pytest.mark.process
@pytest.mark.slow
def test_the_demonstration_runs_and_verifies_itself() -> None:
    ended = subprocess.run([sys.executable, str(DEMO)], capture_output=True, text=True, env=environment(), timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "attempt 2, exit code 0" in ended.stdout
    assert "Counting the texts directly finds the same." in ended.stdout
