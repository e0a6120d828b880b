"""Airflow's Amazon provider: BatchOperator submits, waits, shows the job's log as the task's, and fails with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.installed_program import Program
from tests.clients.yard import LOG_GROUP, Yard

pytestmark = [pytest.mark.process, pytest.mark.clients, pytest.mark.slow]


def test_operators(yard: Yard, tmp_path: Path) -> None:
    airflow = Program.of("airflow", yard, tmp_path, AIRFLOW_HOME=str(tmp_path / "airflow"))
    good = yard.define(["sh", "-c", 'echo "hello $1 $MARK"', "sh", "Ref::word"])
    bad = yard.define(["sh", "-c", "echo last words; exit 7"])
    printed = airflow.run("python", Path(__file__).with_name("tasks.py"), good, bad)
    seen: dict[str, Any] = json.loads(printed.splitlines()[-1])
    assert seen["good"]["outcome"] == seen["good"]["job"]
    assert "hello airflow seen" in printed
    assert yard.job(seen["good"]["job"])["tags"] == {"dag": "a"}
    assert "FAILED" in seen["bad"]["outcome"]
    assert "last words" in printed
    assert seen["described"] == "SUCCEEDED"
    assert seen["logs"]["awslogs_group"] == LOG_GROUP
