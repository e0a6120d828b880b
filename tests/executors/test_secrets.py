"""Secrets: read when an attempt is launched, seen by the job alone."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from batchyard.executors.interface import Isolation, Launch
from batchyard.executors.process import ProcessExecutor, stop_supervisor
from batchyard.executors.secrets import SecretSource, WithSecrets, registry_credentials, resolver
from tests.executors.conformance import Host, the_only
from tests.executors.launches import shell

pytestmark = pytest.mark.process

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf"
VALUE = "correct horse"


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, SecretSource]:
    (tmp_path / "file").write_text(f"{VALUE}\n")
    (tmp_path / "json").write_text(json.dumps({"user": "me", "port": 5432}))
    monkeypatch.setenv("A_SECRET_OF_THE_SERVER", VALUE)
    return {
        "in-file": SecretSource(file=str(tmp_path / "file")),
        "in-environment": SecretSource(environment="A_SECRET_OF_THE_SERVER"),
        "by-command": SecretSource(command=(sys.executable, "-c", f"print({VALUE!r})")),
        ARN: SecretSource(file=str(tmp_path / "json")),
        "missing-file": SecretSource(file=str(tmp_path / "nothing")),
        "missing-variable": SecretSource(environment="NO_SUCH_VARIABLE_AT_ALL"),
        "failing": SecretSource(command=(sys.executable, "-c", "raise SystemExit(3)")),
    }


@pytest.mark.parametrize(
    ("value_from", "value"),
    [
        ("in-file", VALUE),
        ("in-environment", VALUE),
        ("by-command", VALUE),
        (f"{ARN}:user::", "me"),
        (f"{ARN}:port::", "5432"),
    ],
)
def test_a_secret_is_read_where_it_is(sources: dict[str, SecretSource], value_from: str, value: str) -> None:
    assert resolver(sources)(value_from) == value


@pytest.mark.parametrize(
    "value_from", ["unknown", "missing-file", "missing-variable", "failing", f"{ARN}:none::", f"{ARN[:-1]}:user::"]
)
def test_what_cannot_be_read_says_which_and_no_value(sources: dict[str, SecretSource], value_from: str) -> None:
    with pytest.raises(ValueError, match=value_from.split(":", maxsplit=1)[0]) as problem:
        resolver(sources)(value_from)
    assert "5432" not in str(problem.value)


@pytest.fixture
def host(tmp_path: Path, sources: dict[str, SecretSource]) -> Iterator[Host]:
    data = tmp_path / "data"
    host = Host(data, lambda: WithSecrets(ProcessExecutor(data), resolver(sources)))
    yield host
    host.close()
    stop_supervisor(data, 0.1)


def with_secrets(order: Launch, **secrets: str) -> Launch:
    """The launch with these secrets."""
    return replace(order, containers=(replace(order.containers[0], secrets=secrets),))


def test_a_job_sees_its_secrets_and_nobody_else_does(host: Host) -> None:
    order = with_secrets(shell("echo $ONE/$TWO >seen; wc -c <seen"), ONE="in-file", TWO="by-command")
    plain = shell("echo $ONE")
    assert [end.exit_code for end in host.connect().run(order, plain)] == [0, 0]
    assert host.text(order).strip() == str(2 * len(VALUE) + 2)
    assert not host.text(plain).strip()
    kept = b"".join(path.read_bytes() for path in host.data.rglob("*") if path.is_file())
    assert VALUE.encode() not in kept


def test_a_secret_that_cannot_be_had_is_a_start_that_failed(host: Host) -> None:
    client = host.connect(vcpus=1)
    end = the_only(client.run(with_secrets(shell("echo ran"), ONE="in-file", TWO="failing")))
    assert (end.failed_to_start, end.exit_code, end.started_at) == (True, None, None)
    assert end.reason == (
        "ResourceInitializationError: unable to pull secrets or registry auth: failing: its command ended with 3"
    )
    assert the_only(client.run(shell("true"))).exit_code == 0


def test_the_credentials_of_a_registry_are_a_secret_of_two_members(tmp_path: Path) -> None:
    (tmp_path / "login").write_text(json.dumps({"username": "me", "password": VALUE}))
    resolve = resolver({ARN: SecretSource(file=str(tmp_path / "login"))})
    assert registry_credentials(ARN, resolve) == ("me", VALUE)
    (tmp_path / "login").write_text(json.dumps({"username": "me"}))
    with pytest.raises(ValueError, match="password"):
        registry_credentials(ARN, resolve)


def test_a_launch_whose_registry_cannot_be_opened_fails_and_says_why(host: Host) -> None:
    order = shell("true")
    isolation = Isolation(credentials_parameter="unknown")
    order = replace(order, containers=(replace(order.containers[0], isolation=isolation),))
    end = the_only(host.connect().run(order))
    assert end.failed_to_start
    assert (end.reason or "").startswith(
        "ResourceInitializationError: unable to pull secrets or registry auth: unknown"
    )
