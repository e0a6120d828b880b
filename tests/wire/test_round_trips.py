"""Every operation, through botocore, both ways; driven by the model, so that a new operation is covered untold."""

from typing import Any

import pytest
from botocore.awsrequest import HeadersDict, create_request_object, prepare_request_dict
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchyard.wire import faults, model
from batchyard.wire.faults import Fault
from batchyard.wire.model import Operation, Service
from batchyard.wire.parsing import parse
from batchyard.wire.routing import Router
from batchyard.wire.serializing import serialize
from batchyard.wire.validation import validate
from tests.wire.shapes_strategy import complete, valid

SERVICES = (model.batch(), model.logs())
ROUTER = Router(SERVICES)
OPERATIONS = [
    pytest.param(service, operation, id=f"{service.name}.{name}")
    for service in SERVICES
    for name, operation in service.operations.items()
]
# botocore's own, whole model: ours was cut down, and must not have lost anything.
BOTOCORE = {
    "batch": ServiceModel(Loader().load_service_model("batch", "service-2", "2016-08-10"), "batch"),
    "logs": ServiceModel(Loader().load_service_model("logs", "service-2", "2014-03-28"), "logs"),
}

few_examples = settings(
    max_examples=8,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)


def botocore_operation(operation: Operation) -> OperationModel:
    return BOTOCORE[operation.service].operation_model(operation.name)


def received(operation: Operation, params: dict[str, Any]) -> tuple[Operation, dict[str, Any]]:
    """What our wire makes of the request that botocore builds from params."""
    theirs = botocore_operation(operation)
    serializer = create_serializer(theirs.service_model.metadata["protocol"], include_validation=False)
    request = serializer.serialize_to_request(params, theirs)
    prepare_request_dict(request, "http://127.0.0.1:22824")
    sent = create_request_object(request).prepare()
    path, _, query = sent.url.removeprefix("http://127.0.0.1:22824").partition("?")
    headers = {name.lower(): _text(value) for name, value in sent.headers.items()}
    route = ROUTER.route(sent.method, path, headers.get("x-amz-target"))
    body = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
    content_type = headers.get("content-type")
    parsed = parse(route.operation, body, query=query, labels=route.labels, content_type=content_type)
    return route.operation, validate(route.operation, parsed)


def read_by_botocore(operation: Operation, status: int, headers: dict[str, str], body: bytes) -> Any:
    theirs = botocore_operation(operation)
    parser = create_parser(theirs.service_model.metadata["protocol"])
    answer = parser.parse({"status_code": status, "headers": HeadersDict(headers), "body": body}, theirs.output_shape)
    answer.pop("ResponseMetadata")
    return answer


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def test_every_operation_of_the_models_is_there() -> None:
    assert set(model.batch().operations) == set(BOTOCORE["batch"].operation_names)
    assert len(model.batch().operations) == 48
    assert set(model.logs().operations) == set(model.LOGS_OPERATIONS)


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_a_request_with_every_member_arrives_whole(service: Service, operation: Operation) -> None:
    theirs = botocore_operation(operation)
    params = complete(theirs.input_shape) if theirs.input_shape else {}
    assert received(operation, params) == (operation, params)


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
@few_examples
@given(data=st.data())
def test_any_valid_request_arrives_as_it_was_meant(service: Service, operation: Operation, data: st.DataObject) -> None:
    theirs = botocore_operation(operation)
    params = data.draw(valid(theirs.input_shape)) if theirs.input_shape else {}
    assert received(operation, params) == (operation, params)


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_an_answer_with_every_member_arrives_whole(service: Service, operation: Operation) -> None:
    theirs = botocore_operation(operation)
    output = complete(theirs.output_shape) if theirs.output_shape else {}
    assert read_by_botocore(operation, 200, {}, serialize(operation, output)) == output


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
@few_examples
@given(data=st.data())
def test_any_answer_arrives_as_it_was_meant(service: Service, operation: Operation, data: st.DataObject) -> None:
    theirs = botocore_operation(operation)
    output = data.draw(valid(theirs.output_shape)) if theirs.output_shape else {}
    assert read_by_botocore(operation, 200, {}, serialize(operation, output)) == output


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_a_refusal_arrives_with_code_and_text(service: Service, operation: Operation) -> None:
    refused = faults.client_exception("JobQueue nowhere not found.")
    answer = faults.answer(refused, "id-1", service.name)
    # AWS Batch names the code in the header alone; JSON 1.1 must do without it.
    headers = {"x-amzn-errortype": answer.code} if service.name == "batch" else {}
    error = read_by_botocore(operation, answer.status, headers, answer.body)["Error"]
    assert (error["Code"], error["Message"]) == ("ClientException", "JobQueue nowhere not found.")


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_every_required_member_is_required(service: Service, operation: Operation) -> None:
    theirs = botocore_operation(operation)
    required = [
        name
        for name in (theirs.input_shape.required_members if theirs.input_shape else [])
        if "location" not in theirs.input_shape.members[name].serialization
    ]
    for name in required:
        params = {**complete(theirs.input_shape), name: None}
        with pytest.raises(Fault) as refused:
            validate(operation, params)
        assert f"Value null at '{name}' failed to satisfy constraint: Member must not be null" in refused.value.text


def test_what_the_model_does_not_know_never_goes_out() -> None:
    describe = model.batch().operations["DescribeJobs"]
    output = {
        "jobs": [{"jobId": "a", "secret": 1, "statusReason": None, "container": {"rows": 2, "exitCode": 0}}],
        "x": 1,
    }
    assert serialize(describe, output) == b'{"jobs":[{"jobId":"a","container":{"exitCode":0}}]}'
