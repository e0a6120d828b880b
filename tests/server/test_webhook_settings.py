"""`[[webhooks]]` as an operator writes them."""

import base64
from pathlib import Path

import pytest

from batchyard.core.jobs import JobStatus
from batchyard.server.configuration import Configuration, read_configuration
from batchyard.server.problem import ConfigurationProblem
from batchyard.server.webhooks import signature

SECRET = "x7Kq-not-to-be-seen-anywhere"
URL = "https://example.com/hooks/also-not-to-be-seen"
HOOK = f'[[webhooks]]\nname = "ci"\nurl = "{URL}"\nsecret = "{SECRET}"\n'


def read(folder: Path, text: str, mode: int = 0o600) -> Configuration:
    file = folder / "batchyard.toml"
    file.write_text(text)
    file.chmod(mode)
    return read_configuration(file, {})


def problem(folder: Path, text: str, mode: int = 0o600) -> str:
    with pytest.raises(ConfigurationProblem) as caught:
        read(folder, text, mode)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_a_webhook_is_read_and_keeps_its_secrets(tmp_path: Path) -> None:
    text = HOOK + 'queues = ["default"]\nstatuses = ["FAILED"]\n'
    configuration = read(tmp_path, text)
    (webhook,) = configuration.webhooks
    assert (webhook.name, webhook.url, webhook.key) == ("ci", URL, SECRET.encode())
    assert (webhook.queues, webhook.statuses) == (("default",), (JobStatus.FAILED,))
    for said in (repr(configuration), str(webhook)):
        assert SECRET not in said
        assert URL not in said
    assert read(tmp_path, "").webhooks == ()


def test_a_secret_may_be_encoded_or_stand_in_a_file(tmp_path: Path) -> None:
    encoded = base64.b64encode(SECRET.encode()).decode()
    assert read(tmp_path, HOOK.replace(SECRET, f"whsec_{encoded}")).webhooks[0].key == SECRET.encode()
    (tmp_path / "ci.secret").write_text(f"{SECRET}\n")
    (tmp_path / "ci.secret").chmod(0o600)
    text = HOOK.replace(f'secret = "{SECRET}"', 'secret_file = "ci.secret"')
    assert read(tmp_path, text, mode=0o644).webhooks[0].key == SECRET.encode()
    (tmp_path / "ci.secret").chmod(0o644)
    assert "chmod o=" in problem(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HOOK + HOOK, "the name ci is there twice"),
        (HOOK.replace('"ci"', '"a name"'), "a name has at most 64"),
        (HOOK.replace(URL, "ftp://example.com/"), "must begin with https://"),
        (HOOK.replace(URL, "https:///path"), "must begin with https://"),
        (HOOK.replace(URL, "https://example.com:x/"), "must begin with https://"),
        (HOOK.replace(SECRET, ""), "either secret or secret_file"),
        (HOOK + 'secret_file = "x"\n', "either secret or secret_file"),
        (HOOK.replace(SECRET, "short"), "at least 16 bytes"),
        (HOOK.replace(SECRET, "whsec_" + "=" * 30), "must be base64"),
        (HOOK + "queues = []\n", "queues lists names"),
        (HOOK + 'queues = ["no such name"]\n', "queues lists names"),
        (HOOK + "statuses = []\n", "statuses lists"),
        (HOOK + 'statuses = ["DONE"]\n', "DONE"),
        (HOOK + "retries = 3\n", "retries"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in problem(tmp_path, text)


def test_a_configuration_with_a_secret_is_private(tmp_path: Path) -> None:
    assert "chmod o=" in problem(tmp_path, HOOK, mode=0o644)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification's reference libraries."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected
