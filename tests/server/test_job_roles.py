"""`[roles]` as an operator writes it."""

from pathlib import Path

import pytest

from batchyard.server.configuration import read_configuration
from batchyard.server.job_roles import RoleSource, RoleUnavailable
from batchyard.server.problem import ConfigurationProblem

SECRET = "x7Kq-not-to-be-seen-anywhere"
KEYS = f'[roles.reader]\naccess_key_id = "AKIDREADER"\nsecret_access_key = "{SECRET}"\n'


def read(folder: Path, text: str, mode: int = 0o600) -> RoleSource:
    file = folder / "batchyard.toml"
    file.write_text(text)
    file.chmod(mode)
    configuration = read_configuration(file, {})
    assert SECRET not in repr(configuration)
    return RoleSource(configuration.roles)


def problem(folder: Path, text: str, mode: int = 0o600) -> str:
    with pytest.raises(ConfigurationProblem) as caught:
        read(folder, text, mode)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_keys_are_given_as_they_stand(tmp_path: Path) -> None:
    roles = read(tmp_path, KEYS + 'session_token = "t"\n')
    assert roles.names == {"reader"}
    found = roles.credentials("reader")
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("AKIDREADER", SECRET, "t")


def test_a_secret_may_stand_in_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "reader.secret"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    monkeypatch.setenv("SECRET_OF_READER", SECRET)
    for member in ('secret_file = "reader.secret"', 'secret_variable = "SECRET_OF_READER"'):
        text = KEYS.replace(f'secret_access_key = "{SECRET}"', member)
        assert read(tmp_path, text, mode=0o644).credentials("reader").secret_access_key == SECRET
    file.chmod(0o644)
    assert f"chmod o= {file}" in problem(
        tmp_path, KEYS.replace(f'secret_access_key = "{SECRET}"', 'secret_file = "reader.secret"')
    )


def test_secrets_that_everyone_can_read_are_refused(tmp_path: Path) -> None:
    assert "chmod o=" in problem(tmp_path, KEYS, mode=0o644)


@pytest.mark.parametrize(
    "members",
    [
        "",
        'access_key_id = "AKID"',
        'secret_access_key = "s"',
        'access_key_id = "AKID"\nsecret_access_key = "s"\nsecret_variable = "S"',
        'access_key_id = "AKID"\nprofile = "p"',
        'session_token = "t"\nprofile = "p"',
    ],
)
def test_a_role_has_a_profile_or_keys(tmp_path: Path, members: str) -> None:
    assert "roles.reader: give either a profile" in problem(tmp_path, f"[roles.reader]\n{members}\n")


def test_a_variable_that_is_not_set_is_refused(tmp_path: Path) -> None:
    text = KEYS.replace(f'secret_access_key = "{SECRET}"', 'secret_variable = "NO_SUCH_VARIABLE_IS_SET"')
    assert problem(tmp_path, text) == "roles.reader: the secret is empty."


def test_a_profile_is_read_when_it_is_needed_and_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "credentials.sh"
    said = '{"Version": 1, "AccessKeyId": "AKID%s", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "%s"}'
    program.write_text(f"echo x >> {tmp_path}/calls; n=$(grep -c x {tmp_path}/calls)\n")
    with program.open("a") as out:
        out.write(f"printf '{said}' $n \"$(date -u -d '+5 minutes' +%Y-%m-%dT%H:%M:%SZ)\"\n")
    (tmp_path / "aws").write_text(f"[profile p]\ncredential_process = sh {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    roles = read(tmp_path, '[roles.reader]\nprofile = "p"\n', mode=0o644)
    assert not (tmp_path / "calls").exists()
    # Less than botocore's quarter of an hour remains, so each use renews.
    first, second = (roles.credentials("reader").access_key_id for _ in range(2))
    assert (first[:4], second[:4]) == ("AKID", "AKID")
    assert int(second[4:]) > int(first[4:])


def test_a_profile_without_credentials_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "aws").write_text("[profile p]\ncredential_process = false\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws"))
    with pytest.raises(RoleUnavailable, match="credentials of role reader cannot be had"):
        read(tmp_path, '[roles.reader]\nprofile = "p"\n').credentials("reader")
