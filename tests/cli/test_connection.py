"""Which API the commands speak to, for every way of saying it."""

from pathlib import Path

import pytest

from batchyard.cli.connection import LOCAL_REGION, LOCAL_URL, Connection, connect

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No configuration but what the test makes; returns the configuration file, which is not there yet."""
    import os

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    return tmp_path / "config"


def endpoints(connection: Connection) -> tuple[str, str]:
    return connection.batch.meta.endpoint_url, connection.logs.meta.endpoint_url


def test_nothing_configured_means_this_machine() -> None:
    connection = connect(None)
    assert endpoints(connection) == (LOCAL_URL, LOCAL_URL)
    assert not connection.is_aws
    assert connection.batch.meta.region_name == LOCAL_REGION


def test_credentials_without_endpoint_mean_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**CREDENTIALS, "AWS_DEFAULT_REGION": "eu-west-1"}.items():
        monkeypatch.setenv(name, value)
    connection = connect(None)
    assert connection.is_aws
    assert endpoints(connection) == (
        "https://batch.eu-west-1.amazonaws.com",
        "https://logs.eu-west-1.amazonaws.com",
    )


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_BATCH", "AWS_ENDPOINT_URL"])
def test_a_configured_endpoint_also_has_the_logs(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name, value in {**CREDENTIALS, variable: "http://127.0.0.1:1234"}.items():
        monkeypatch.setenv(name, value)
    connection = connect(None)
    assert endpoints(connection) == ("http://127.0.0.1:1234", "http://127.0.0.1:1234")
    assert not connection.is_aws
    assert connection.session.get_credentials().access_key == "k"


def test_a_profile_may_name_the_endpoint(nothing_configured: Path) -> None:
    nothing_configured.write_text(
        "[default]\nregion = eu-north-1\nservices = yard\n[services yard]\nbatch =\n  endpoint_url = http://127.0.0.1:99\n"
    )
    connection = connect(None)
    assert endpoints(connection) == ("http://127.0.0.1:99", "http://127.0.0.1:99")
    assert connection.batch.meta.region_name == "eu-north-1"


def test_the_option_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://127.0.0.1:3")
    assert endpoints(connect("http://127.0.0.1:2")) == ("http://127.0.0.1:2", "http://127.0.0.1:3")
