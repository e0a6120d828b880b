"""The AWS SDK for JavaScript, version 3: its clients, paginator and error classes, in one session of `session.mjs`."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.clients.installed_program import Program, installed
from tests.clients.yard import Yard

pytestmark = [pytest.mark.process, pytest.mark.clients]


def test_a_session(yard: Yard, tmp_path: Path) -> None:
    if not shutil.which("node"):
        pytest.skip("this machine has no node")
    program = Program.of("javascript", yard, tmp_path, CLIENT_FOLDER=str(installed("javascript")))
    seen: dict[str, Any] = json.loads(program.run("node", Path(__file__).with_name("session.mjs")))
    assert seen["tags"] == {"made/by": "javascript"}
    assert seen["job"] == {"status": "SUCCEEDED", "exitCode": 0, "attempts": 1}
    assert seen["times"] == sorted(seen["times"])
    assert seen["messages"] == ["hello wörld"]
    assert seen["summary"] == 5
    assert sorted(index for page in seen["pages"] for index in page) == [0, 1, 2, 3, 4]
    assert [len(page) for page in seen["pages"]] == [2, 2, 1]
    assert seen["after"] == "SUCCEEDED"
    refusal = seen["refusal"]
    assert "nowhere" in refusal.pop("message")
    assert refusal == {
        "isClientException": True,
        "fault": "client",
        "status": 400,
        "hasRequestId": True,
        "tries": 1,
    }
