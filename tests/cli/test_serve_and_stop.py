"""`serve`, `stop` and `doctor`: the commands that are about this machine."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.terminal import COMMAND, Terminal, environment
from tests.clients.server_process import ServerProcess, wait_for

NOBODY = Terminal("http://127.0.0.1:1")
HEAVY = ("botocore", "boto3", "rich", "sqlalchemy", "starlette", "uvicorn", "msgspec", "psutil")


def test_help_imports_nothing_heavy() -> None:
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", *COMMAND[1:], "--help"], capture_output=True, text=True, env=environment()
    )
    assert "Usage:" in ended.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    assert "typer" in imported
    assert imported.isdisjoint(HEAVY)


def test_version() -> None:
    from batchyard import __version__

    assert NOBODY("--version").output == f"batchyard {__version__}\n"


@pytest.mark.parametrize("arguments", [("nonsense",), ("ls", "--nonsense"), ("ls", "--status", "ASLEEP"), ("submit",)])
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert NOBODY(*arguments).exit_code == 2


@pytest.mark.process
def test_sigterm_leaves_jobs_running_and_stop_ends_them(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.start()
    try:
        batchyard = Terminal(server.url)
        job_id = batchyard("submit", "--", "sleep", "600").job_id
        wait_for(lambda: '"RUNNING"' in batchyard("describe", job_id, "-o", "json").output, "the job runs")
        assert server.terminate() == 0
        assert "jobs that run go on" in server.log.read_text()
        assert not (server.data / "server.pid").exists()
        assert any(process.name() == "sleep" for process in server.processes())
        stopped = NOBODY("stop", "--data", str(server.data), "--grace", "1")
        assert (stopped.exit_code, stopped.output) == (0, "server: was not running\nsupervisor: stopped\n")
        wait_for(lambda: not server.processes(), "nothing is left")
    finally:
        server.end()


@pytest.mark.process
def test_stop_ends_the_server_too(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path)
    server.start()
    try:
        assert (server.data / "server.pid").read_text() == f"{server.process_id}\n"
        stopped = NOBODY("stop", "--data", str(server.data))
        assert stopped.output == "server: stopped\nsupervisor: stopped\n"
        os.waitid(os.P_PID, server.process_id, os.WEXITED | os.WNOWAIT)
        assert (
            NOBODY("stop", "--data", str(server.data)).output
            == "server: was not running\nsupervisor: was not running\n"
        )
    finally:
        server.end()


@pytest.mark.process
def test_serve_says_what_is_in_its_way(tmp_path: Path, server: ServerProcess) -> None:
    second = NOBODY.outside("serve", "--data", str(server.data), "--port", "0")
    assert (second.exit_code, second.output) == (2, "")
    assert "Another batchyard serves the data folder" in second.errors
    taken = NOBODY.outside("serve", "--data", str(tmp_path / "data"), "--port", str(server.port))
    assert (taken.exit_code, taken.output) == (2, "")
    assert f"Port {server.port} of 127.0.0.1 is taken" in taken.errors
    NOBODY("stop", "--data", str(tmp_path / "data"))
    open_to_all = NOBODY.outside("serve", "--data", str(tmp_path / "other"), "--host", "0.0.0.0")
    assert open_to_all.exit_code == 2
    assert "Refusing to listen on 0.0.0.0" in open_to_all.errors


@pytest.mark.process
def test_doctor_knows_a_running_server_and_a_free_port(server: ServerProcess, tmp_path: Path) -> None:
    examined = NOBODY("doctor", "--data", str(server.data), "-o", "json")
    found = {finding["name"]: finding for finding in examined.json["findings"]}
    assert examined.exit_code == 0
    assert str(server.process_id) in found["server"]["detail"]
    assert found["supervisor"]["detail"] == "running"
    assert {finding["level"] for finding in found.values()} <= {"ok", "warn"}
    assert "HOW IT IS" in NOBODY("doctor", "--data", str(server.data)).output


def test_doctor_fails_where_serving_cannot_work(tmp_path: Path) -> None:
    not_a_folder = tmp_path / "file"
    not_a_folder.touch()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        examined = NOBODY("doctor", "--data", str(not_a_folder / "data"), "--port", str(port), "-o", "json")
    assert examined.exit_code == 1
    failed = {finding["name"] for finding in examined.json["findings"] if finding["level"] == "fail"}
    assert failed == {"data folder", "server"}
    assert all(finding["remedy"] for finding in examined.json["findings"] if finding["level"] == "fail")


@pytest.mark.process
def test_the_log_is_json_on_demand(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, "--log-format", "json")
    server.start()
    try:
        server.supervisor().kill()
        wait_for(lambda: "supervisor" in server.log.read_text(), "the server says that it lost its supervisor")
    finally:
        server.end()
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    assert lines
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
