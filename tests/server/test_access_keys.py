"""`[auth]` and `[limits]` as an operator writes them."""

from pathlib import Path

import pytest

from batchyard.core.access import Principal, Role
from batchyard.server.configuration import Configuration, read_configuration
from batchyard.server.problem import ConfigurationProblem
from batchyard.wire.sigv4 import Key

SECRET = "x7Kq-not-to-be-seen-anywhere"
ALICE = f'[[auth.keys]]\naccess_key_id = "AKIDALICE"\nsecret_access_key = "{SECRET}"\nrole = "submit"\n'


def read(folder: Path, text: str, mode: int = 0o600, **flags: object) -> Configuration:
    file = folder / "batchyard.toml"
    file.write_text(text)
    file.chmod(mode)
    return read_configuration(file, flags)


def problem(folder: Path, text: str, mode: int = 0o600, **flags: object) -> str:
    with pytest.raises(ConfigurationProblem) as caught:
        read(folder, text, mode, **flags)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_a_key_becomes_a_caller(tmp_path: Path) -> None:
    (key,) = read(tmp_path, ALICE + 'name = "alice"\nqueues = ["hers"]\nsession_token = "t"').auth.keys
    assert key.key == Key("AKIDALICE", SECRET, "t")
    assert key.principal == Principal("alice", Role.SUBMIT, frozenset({"hers"}))
    (key,) = read(tmp_path, ALICE).auth.keys
    assert key.key == Key("AKIDALICE", SECRET, None)
    assert key.principal == Principal("AKIDALICE", Role.SUBMIT, None)


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    secret = tmp_path / "alice.secret"
    secret.write_text(f"{SECRET}\n")
    secret.chmod(0o640)
    text = ALICE.replace(f'secret_access_key = "{SECRET}"', 'secret_file = "alice.secret"')
    assert read(tmp_path, text, mode=0o644).auth.keys[0].key.secret_access_key == SECRET
    secret.chmod(0o644)
    assert f"chmod o= {secret}" in problem(tmp_path, text)
    secret.unlink()
    assert "cannot be read" in problem(tmp_path, text)


def test_secrets_do_not_show(tmp_path: Path) -> None:
    configuration = read(tmp_path, ALICE + 'session_token = "a token of that session"')
    for shown in (repr(configuration), str(configuration.auth), repr(configuration.auth.keys[0].key)):
        assert "AKIDALICE" in shown
        assert SECRET not in shown
        assert "a token" not in shown


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "yard.example.org"])
def test_listening_beyond_this_machine_needs_keys(tmp_path: Path, host: str) -> None:
    said = problem(tmp_path, "", host=host)
    assert f"Refusing to listen on {host}" in said
    assert "[[auth.keys]]" in said
    assert "Refusing to listen" in problem(tmp_path, "[auth]\nkeys = []", host=host)
    assert read(tmp_path, ALICE, host=host).host == host


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("role = ", "rolle = "), "rolle"),
        (('"submit"', '"root"'), "root"),
        (('role = "submit"', ""), "role"),
        (("[[auth.keys]]", "[[auth.key]]"), "key"),
        ((SECRET, "short"), "at least 16 characters"),
        ((f'secret_access_key = "{SECRET}"', ""), "either secret_access_key or secret_file"),
        (("role = ", 'secret_file = "x"\nrole = '), "either secret_access_key or secret_file"),
        (("AKIDALICE", "a b"), "access_key_id has"),
        (("role = ", 'name = "a b"\nrole = '), "a name has"),
        (("role = ", "queues = []\nrole = "), "Leave it out for all"),
        (("role = ", 'queues = ["a/b"]\nrole = '), "queues lists names"),
        (('"submit"', '"admin"\nqueues = ["hers"]'), "for every queue"),
        ((ALICE, ALICE + ALICE), "there twice"),
        ((ALICE, "[limits]\nrequests_per_second = 0.0"), "more than 0"),
        ((ALICE, "[limits]\nrequests_per_hour = 1.0"), "requests_per_hour"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_wrong_is_said(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert change[0] in ALICE
    assert said in problem(tmp_path, ALICE.replace(*change))


def test_a_configuration_with_secrets_is_not_for_everyone_to_read(tmp_path: Path) -> None:
    assert "chmod o= " in problem(tmp_path, ALICE, mode=0o644)
    assert read(tmp_path, "[limits]\nrequests_per_second = 2.5", mode=0o644).limits.requests_per_second == 2.5
