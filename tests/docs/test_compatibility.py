"""The table behind docs/compatibility.md against the service models, and against what the server says."""

import importlib
import re
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from batchyard.api.operations import OPERATIONS, endpoint
from batchyard.wire import model
from batchyard.wire.validation import validate
from tests.api.conftest import Yard, yard
from tests.docs.repository import DOCS, ROOT

sys.path.insert(0, str(ROOT / "tools"))
compatibility = importlib.import_module("generate_compatibility")
sys.path.pop(0)

UNKNOWNS = 25
"""How many questions about AWS's behaviour were open when the list in docs/unknowns.md was begun."""

WRITE = {"logGroupName": "/aws/batch/job", "logStreamName": "a"}

REFUSED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "CreateLogStreamRequest": ("logs.CreateLogStream", WRITE),
    "PutLogEventsRequest": ("logs.PutLogEvents", {**WRITE, "logEvents": [{"timestamp": 1, "message": "a"}]}),
    "InputLogEvent": ("logs.PutLogEvents", {**WRITE, "logEvents": [{"timestamp": 1, "message": "a"}]}),
    "Entity": ("logs.PutLogEvents", {**WRITE, "logEvents": [{"timestamp": 1, "message": "a"}], "entity": {}}),
}
"""A request that shows, for each structure, that the members called refused are."""

__all__ = ["yard"]


def test_every_member_of_the_models_has_an_entry_and_every_entry_names_one() -> None:
    modelled = {(name, member) for name, shape in compatibility.structures().items() for member in shape.members}
    entered = {(name, member) for name, members in compatibility.entries().items() for member in members}
    assert len(modelled) > 1000
    assert sorted(modelled - entered) == []
    assert sorted(entered - modelled) == []


def test_only_answers_are_absent_and_only_requests_ignored_or_refused() -> None:
    places = compatibility.places()
    answers = {shape for shape, found in places.items() if all(_is_answer(shape, place) for place in found)}
    for shape, members in compatibility.entries().items():
        for member, entry in members.items():
            if entry.status == "absent":
                assert shape in answers, f"{shape}.{member} can be asked for"
            if entry.status in ("ignored", "refused"):
                assert shape not in answers, f"{shape}.{member} is only ever answered"


def _is_answer(shape: str, place: str) -> bool:
    """Whether the structure stands in the answer alone of the operation that its place begins with."""
    name = place.partition(".")[0]
    operation = {**model.batch().operations, **model.logs().operations}[name]
    return operation.input is None or shape not in {found for found, _ in compatibility._walk(operation.input, "")}


@pytest.mark.parametrize("text", ["honoured", "good: it works", ": nothing", "honoured: "])
def test_an_entry_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Shape\.member"):
        compatibility._entry("Shape.member", text)


def test_every_member_called_refused_has_a_request_that_shows_it() -> None:
    refused = {
        shape
        for shape, members in compatibility.entries().items()
        if any(entry.status == "refused" for entry in members.values())
        and any(compatibility.is_built(place) for place in compatibility.places()[shape])
    }
    assert refused == set(REFUSED)


@pytest.mark.parametrize("shape", REFUSED)
def test_what_is_called_refused_is_refused(yard: Yard, shape: str) -> None:
    operation, request = REFUSED[shape]
    name = operation.partition(".")[2]
    modelled = {**model.batch().operations, **model.logs().operations}[name]
    assert yard.refusal(operation, **validate(modelled, dict(request))).text


@pytest.mark.parametrize("operation", sorted(set(model.batch().operations)))
def test_an_operation_that_is_not_built_is_shown_as_refused(operation: str) -> None:
    page = (DOCS / "compatibility.md").read_text()
    section = re.split(r"^##+ ", page.partition(f"### {operation}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    is_built = f"batch.{operation}" in OPERATIONS
    assert endpoint(f"batch.{operation}")
    assert ("the operation is not available yet" in section) is not is_built


def test_every_open_question_about_aws_has_an_answer() -> None:
    text = (DOCS / "unknowns.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \| `\w+` in `[\w/.]+` \|$", text, re.MULTILINE)
    assert [int(number) for number, _, _ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= UNKNOWNS
    assert all(question and answer for _, question, answer in rows)
