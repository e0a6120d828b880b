"""A request as boto3 sends it and an answer as boto3 reads it, with the operation itself between and no socket."""

from typing import Any, NamedTuple

from batchyard.core.refusals import Refusal
from batchyard.wire import faults, model
from batchyard.wire.faults import Fault
from tests.api.conftest import Yard
from tests.wire.test_round_trips import read_by_botocore, received

REQUEST_ID = "00000000-0000-4000-8000-000000000000"


class Told(NamedTuple):
    """What a client is told of an error."""

    code: str
    message: str


def refused(yard: Yard, operation: str, request: dict[str, Any]) -> Told:
    """How `operation` (`SubmitJob`, `logs.GetLogEvents`) refuses the request; AssertionError if it does not."""
    service, _, name = operation.rpartition(".")
    modelled = (model.logs() if service == "logs" else model.batch()).operations[name]
    try:
        _, members = received(modelled, request)
        answer = yard.call(operation, members)
    except Fault as fault:
        return _told(modelled, fault)
    except Refusal as refusal:
        return _told(modelled, Fault(refusal.code, refusal.status, refusal.text, wrapped=refusal.wrapped))
    raise AssertionError(f"{operation} answers {answer}")


def _told(operation: model.Operation, fault: Fault) -> Told:
    answer = faults.answer(fault, REQUEST_ID, operation.service)
    headers = {"x-amzn-errortype": answer.code}
    error = read_by_botocore(operation, answer.status, headers, answer.body)["Error"]
    return Told(error["Code"], error["Message"])
