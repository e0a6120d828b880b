"""Which operation a request line means."""

import pytest

from batchyard.wire import model
from batchyard.wire.faults import Fault
from batchyard.wire.routing import Router

ROUTER = Router((model.batch(), model.logs()))
ARN = "arn:aws:batch:us-east-1:123456789012:job-queue/high"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/tags/arn%3Aaws%3Abatch%3Aus-east-1%3A123456789012%3Ajob-queue%2Fhigh",
        "/v1/tags/arn:aws:batch:us-east-1:123456789012:job-queue/high",
        "/v1/tags/arn%3aaws%3abatch%3aus-east-1%3a123456789012%3ajob-queue/high",
    ],
)
@pytest.mark.parametrize(
    ("method", "name"), [("GET", "ListTagsForResource"), ("POST", "TagResource"), ("DELETE", "UntagResource")]
)
def test_an_arn_in_the_path_is_decoded_once_and_after_routing(method: str, name: str, path: str) -> None:
    route = ROUTER.route(method, path)
    assert route.operation.name == name
    assert route.labels == {"resourceArn": ARN}


def test_an_escaped_percent_is_not_decoded_twice() -> None:
    assert ROUTER.route("GET", "/v1/tags/a%252Fb").labels == {"resourceArn": "a%2Fb"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/submitjob"),
        ("PUT", "/v1/submitjob"),
        ("POST", "/v1/SubmitJob"),
        ("POST", "/v1/submitjob/"),
        ("POST", "/v1/"),
        ("POST", "/v1/tags/"),
        ("POST", "/v1/tags"),
        ("PUT", "/v1/tags/a"),
        ("POST", "/"),
    ],
)
def test_an_unknown_path_or_method_is_no_operation(method: str, path: str) -> None:
    with pytest.raises(Fault) as refused:
        ROUTER.route(method, path)
    assert (refused.value.code, refused.value.status) == ("UnknownOperationException", 404)


@pytest.mark.parametrize("target", ["", "Logs_20140328", "Logs_20140328.", "Logs_20140328.PutQuery", "GetLogEvents"])
def test_an_unknown_target_is_no_operation(target: str) -> None:
    with pytest.raises(Fault) as refused:
        ROUTER.route("POST", "/", target)
    assert (refused.value.code, refused.value.status) == ("UnknownOperationException", 400)


def test_a_target_names_a_logs_operation_only_when_posted_to_the_root() -> None:
    assert ROUTER.route("POST", "/", "Logs_20140328.GetLogEvents").operation is model.logs().operations["GetLogEvents"]
    assert ROUTER.route("POST", "/v1/submitjob", "Logs_20140328.GetLogEvents").operation.name == "SubmitJob"
    with pytest.raises(Fault):
        ROUTER.route("GET", "/", "Logs_20140328.GetLogEvents")


@pytest.mark.parametrize("path", ["/v1/tags/%", "/v1/tags/a%2", "/v1/tags/%zz", "/v1/tags/%ff", "/v1/tags/%ed%a0%80"])
def test_a_label_that_cannot_be_decoded_is_refused(path: str) -> None:
    with pytest.raises(Fault) as refused:
        ROUTER.route("GET", path)
    assert (refused.value.code, refused.value.status) == ("SerializationException", 400)
