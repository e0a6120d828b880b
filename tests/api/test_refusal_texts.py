"""Every sentence of AWS Batch's that is known from real output or its model is said, to the letter, when it should be.

The texts stand in the tables beside this file as they were seen, not as the code makes them.
"""

import importlib
import inspect
import pkgutil
import re
from typing import Any

import pytest

from batchyard.core import refusals
from tests.api.conftest import FARGATE, Yard
from tests.api.texts_of_definitions import CONTAINERS, KINDS, WHOLE, fargate, nodes
from tests.api.texts_of_resources import ARN, LIMIT, REQUIREMENTS, TEXTS
from tests.api.through_the_wire import REQUEST_ID, refused

ELSEWHERE = {"not_authorized": "only a caller who is known can be told, see test_access.py"}
"""Sentences that are known and that no request of these tables can provoke."""

CODES = {
    "log_stream_not_found": "ResourceNotFoundException",
    "log_group_not_found": "ResourceNotFoundException",
    "log_group_exists": "ResourceAlreadyExistsException",
    "log_next_token_invalid": "InvalidParameterException",
}


@pytest.fixture
def furnished(yard: Yard) -> Yard:
    """A yard with one of everything that a look-up may find."""
    for name in ("machine", "spare", "idle"):
        yard.environment(name)
    yard.environment("fargate", computeResources=FARGATE)
    fifty = {f"key-{number}": "" for number in range(49)}
    yard.queue(tags=fifty)
    yard.queue("on-idle", "idle")
    yard.call("UpdateComputeEnvironment", computeEnvironment="idle", state="DISABLED")
    yard.queue("fargate", "fargate")
    yard.call("CreateSchedulingPolicy", name="fair", fairsharePolicy={})
    yard.call("CreateSchedulingPolicy", name="quota", quotaSharePolicy={"idleResourceAssignmentStrategy": "FIFO"})
    yard.queue("fair", schedulingPolicyArn=f"{ARN}scheduling-policy/fair")
    yard.queue("leaving", state="DISABLED")
    yard.call("DeleteJobQueue", jobQueue="leaving")
    yard.call(
        "CreateServiceEnvironment",
        serviceEnvironmentName="training",
        serviceEnvironmentType="SAGEMAKER_TRAINING",
        capacityLimits=[LIMIT],
    )
    yard.definition()
    yard.definition("on-fargate", **fargate())
    yard.definition("modern", containerProperties={"image": "busybox", "resourceRequirements": REQUIREMENTS})
    yard.call("RegisterJobDefinition", {"jobDefinitionName": "nodes", **nodes(WHOLE)})
    yard.call("DeregisterJobDefinition", jobDefinition=yard.definition("gone"))
    return yard


@pytest.mark.parametrize(("sentence", "members", "text"), [*CONTAINERS, *KINDS], ids=lambda value: str(value)[:40])
def test_definitions_are_refused_in_these_words(yard: Yard, sentence: str, members: dict[str, Any], text: str) -> None:
    told = refused(yard, "RegisterJobDefinition", {"jobDefinitionName": "a", "type": "container", **members})
    assert told == ("ClientException", f"Error executing request, Exception : {text}, RequestId: {REQUEST_ID}")


@pytest.mark.parametrize(("sentence", "operation", "request_", "wrapped", "text"), TEXTS, ids=lambda v: str(v)[:40])
def test_requests_are_refused_in_these_words(
    furnished: Yard, sentence: str, operation: str, request_: dict[str, Any], wrapped: bool, text: str
) -> None:
    told = refused(furnished, operation, request_)
    whole = f"Error executing request, Exception : {text}, RequestId: {REQUEST_ID}" if wrapped else text
    assert told == (CODES.get(sentence, "ClientException"), whole)


def test_more_than_fifty_tags_are_refused_by_the_model_itself(furnished: Yard) -> None:
    tags = {f"key-{number}": "" for number in range(51)}
    told = refused(furnished, "CreateSchedulingPolicy", {"name": "a", "tags": tags})
    assert told.code == "ClientException"
    assert told.message.startswith("Error executing request, Exception : 1 validation error detected: Value '{")
    assert "at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50" in told.message


def test_every_known_sentence_stands_in_the_tables() -> None:
    shown = {row[0] for row in (*CONTAINERS, *KINDS, *TEXTS)}
    known = set()
    for module in pkgutil.iter_modules(refusals.__path__):
        functions = inspect.getmembers(
            importlib.import_module(f"{refusals.__name__}.{module.name}"), inspect.isfunction
        )
        known |= {name for name, function in functions if re.search(r"\[(seen|model|doc)\]", function.__doc__ or "")}
    assert len(known) > 100
    assert known - shown - ELSEWHERE.keys() == set()
    assert shown <= known
