"""Tokens: who they name, and that nobody else can make one."""

import pytest

from batchyard.core.ids import AttemptId, JobSeq
from batchyard.core.jobs import JobKey
from batchyard.engine.task_endpoint import TaskName, TaskTokens, matching_role, read_name, write_name

NAME = TaskName(AttemptId("0123456789abcdef" * 2), JobKey(JobSeq(12), 3), 1)
TOKENS = TaskTokens(b"k" * 32)


@pytest.mark.parametrize("name", [NAME, NAME._replace(key=JobKey(JobSeq(1)), container=0)])
def test_a_name_is_read_as_it_was_written(name: TaskName) -> None:
    text = write_name(name)
    assert read_name(text) == name
    assert TOKENS.read_metadata(TOKENS.metadata(text)) == name
    assert TOKENS.read_credentials(text, TOKENS.authorization(text)) == name


@pytest.mark.parametrize("change", ["0" + write_name(NAME), write_name(NAME) + "0", "", ".", "é", "a.b.c.d"])
def test_what_was_changed_names_nobody(change: str) -> None:
    text = write_name(NAME)
    assert TOKENS.read_metadata(f"{change}.{TOKENS.metadata(text).rpartition('.')[2]}") is None
    assert TOKENS.read_credentials(change, TOKENS.authorization(text)) is None
    assert TOKENS.read_credentials(text, change) is None


def test_one_key_is_not_another_and_metadata_are_no_credentials() -> None:
    text = write_name(NAME)
    others = TaskTokens(b"x" * 32)
    assert others.read_metadata(TOKENS.metadata(text)) is None
    assert others.read_credentials(text, TOKENS.authorization(text)) is None
    assert TOKENS.read_credentials(text, TOKENS.metadata(text).rpartition(".")[2]) is None


@pytest.mark.parametrize("text", ["", "x", "0" * 32 + ".1.1", "0" * 32 + ".1.--1.0", "0" * 32 + ".٣.1.0"])
def test_other_texts_are_no_names(text: str) -> None:
    assert read_name(text) is None
    assert TOKENS.read_metadata(TOKENS.metadata(text)) is None


@pytest.mark.parametrize(
    ("role", "found"),
    [
        ("arn:aws:iam::1:role/a", "arn:aws:iam::1:role/a"),
        ("arn:aws:iam::2:role/a", None),
        ("arn:aws:iam::1:role/path/b", "b"),
        ("b", "b"),
        ("arn:aws:iam::1:role/bb", None),
        ("", None),
    ],
)
def test_a_role_is_found_by_arn_or_name(role: str, found: str | None) -> None:
    assert matching_role(role, frozenset({"arn:aws:iam::1:role/a", "b"})) == found
